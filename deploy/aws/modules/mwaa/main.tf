# Managed Airflow. The code is a folder in S3 (docs/deployment.md), not the image.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
}

module "code" {
  source = "../bucket"

  name       = "${var.name}-code-${local.account_id}"
  key_arn    = var.key_arn
  log_bucket = { name = var.log_bucket }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

# https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html, every action by name
data "aws_iam_policy_document" "environment" {
  statement {
    sid       = "ReadCode"
    actions   = ["s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:ListBucket"]
    resources = [module.code.arn]
  }

  statement {
    sid       = "ReadCodeFiles"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${module.code.arn}/*"]
  }

  statement {
    sid       = "ReportHealth"
    actions   = ["airflow:PublishMetrics"]
    resources = ["arn:${local.partition}:airflow:${local.region}:${local.account_id}:environment/${var.name}"]
  }

  statement {
    sid = "WriteLogs"
    actions = [
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:GetLogEvents",
      "logs:GetLogGroupFields",
      "logs:GetLogRecord",
      "logs:GetQueryResults",
      "logs:PutLogEvents",
    ]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:airflow-${var.name}-*"]
  }

  # the queue between scheduler and workers belongs to an account of AWS; its name is known after the environment is made
  statement {
    sid = "UseQueue"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = ["arn:${local.partition}:sqs:${local.region}:*:airflow-celery-*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-mwaa"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "environment" {
  name   = "environment"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.environment.json
}

resource "aws_iam_role_policy_attachment" "sync" {
  role       = aws_iam_role.this.name
  policy_arn = var.policy_arn
}

resource "aws_mwaa_environment" "this" {
  name              = var.name
  airflow_version   = var.airflow_version
  environment_class = var.environment_class
  min_workers       = 1
  max_workers       = var.max_workers
  schedulers        = 2

  source_bucket_arn      = module.code.arn
  dag_s3_path            = "dags"
  plugins_s3_path        = "plugins.zip"
  requirements_s3_path   = "requirements.txt"
  startup_script_s3_path = "startup.sh"

  execution_role_arn    = aws_iam_role.this.arn
  kms_key               = var.key_arn
  webserver_access_mode = var.is_public ? "PUBLIC_ONLY" : "PRIVATE_ONLY"

  airflow_configuration_options = var.settings

  network_configuration {
    security_group_ids = [var.group_id]
    subnet_ids         = slice(var.subnet_ids, 0, 2)
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "INFO"
    }

    scheduler_logs {
      enabled   = true
      log_level = "INFO"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "INFO"
    }

    worker_logs {
      enabled   = true
      log_level = "INFO"
    }
  }

  depends_on = [aws_iam_role_policy.environment, aws_iam_role_policy_attachment.sync]
}
