# CloudTrail: who did what in this account, in all regions, with proof that no file was changed.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # known before the trail exists, which needs the policy first
  trail_arn = "arn:${data.aws_partition.current.partition}:cloudtrail:${data.aws_region.current.name}:${local.account_id}:trail/${var.name}"
}

data "aws_iam_policy_document" "trail_bucket" {
  statement {
    sid       = "TrailLooks"
    actions   = ["s3:GetBucketAcl"]
    resources = [module.trail.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }

  statement {
    sid       = "TrailWrites"
    actions   = ["s3:PutObject"]
    resources = ["${module.trail.arn}/AWSLogs/${local.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }
}

module "trail" {
  source = "../bucket"

  name            = "${var.name}-trail-${local.account_id}"
  key_arn         = var.key_arn
  log_bucket      = { name = var.log_bucket }
  lifecycle_rules = [{ prefix = "AWSLogs/", infrequent_days = 90, expire_days = var.trail_days }]
  policy_json     = data.aws_iam_policy_document.trail_bucket.json
}

resource "aws_cloudwatch_log_group" "trail" {
  name              = "/${var.name}/trail"
  retention_in_days = var.log_days
  kms_key_id        = var.key_arn
}

data "aws_iam_policy_document" "trail_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "trail_log" {
  statement {
    sid       = "WriteTrailLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.trail.arn}:log-stream:*"]
  }
}

resource "aws_iam_role" "trail" {
  name               = "${var.name}-trail"
  assume_role_policy = data.aws_iam_policy_document.trail_trust.json
}

resource "aws_iam_role_policy" "trail" {
  name   = "write-trail-log"
  role   = aws_iam_role.trail.id
  policy = data.aws_iam_policy_document.trail_log.json
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:the alarms read its log group; a message per delivered file would tell nobody anything
  name                          = var.name
  s3_bucket_name                = module.trail.name
  kms_key_id                    = var.key_arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.trail.arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.trail.arn

  event_selector {
    read_write_type           = "All"
    include_management_events = true

    data_resource {
      type   = "AWS::S3::Object"
      values = ["${var.watched_bucket_arn}/"]
    }
  }

  depends_on = [aws_iam_role_policy.trail]
}
