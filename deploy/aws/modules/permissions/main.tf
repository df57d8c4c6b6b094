# What the tasks of the syncs may do in AWS: one policy, attached to the role of whatever runs Airflow.

data "aws_iam_policy_document" "sync" {
  statement {
    sid       = "LandFiles"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.landing_bucket_arn}/raw/*"]
  }

  statement {
    sid       = "KeepTaskLogs"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.task_log_bucket_arn}/logs/*"]
  }

  # without it S3 answers 403 instead of 404 for a file that is not there yet
  statement {
    sid       = "ListFiles"
    actions   = ["s3:ListBucket"]
    resources = [var.landing_bucket_arn, var.task_log_bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["raw/*", "logs/*"]
    }
  }

  statement {
    sid       = "ReadConnections"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_policy" "sync" {
  name        = "${var.name}-sync"
  description = "Tasks of the syncs: landed files, task logs, connections"
  policy      = data.aws_iam_policy_document.sync.json
}
