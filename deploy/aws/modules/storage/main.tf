# Buckets: landed files, Airflow's task logs, and the access logs of both and of the load balancer.

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
}

data "aws_iam_policy_document" "log_delivery" {
  statement {
    sid       = "BucketLogs"
    actions   = ["s3:PutObject"]
    resources = ["${module.access_log.arn}/s3/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    sid       = "LoadBalancerLogs"
    actions   = ["s3:PutObject"]
    resources = ["${module.access_log.arn}/load-balancer/AWSLogs/${local.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}

module "access_log" {
  #checkov:skip=CKV_AWS_145:log deliveries of S3 and load balancers write with keys of S3 only
  #checkov:skip=CKV_AWS_18:the log of the log bucket would log itself
  source = "../bucket"

  name            = "${var.name}-access-log-${local.account_id}"
  lifecycle_rules = [{ prefix = "s3/", expire_days = var.access_log_days }, { prefix = "load-balancer/", expire_days = var.access_log_days }]
  policy_json     = data.aws_iam_policy_document.log_delivery.json
}

module "landing" {
  source = "../bucket"

  name       = "${var.name}-landing-${local.account_id}"
  key_arn    = var.key_arn
  log_bucket = { name = module.access_log.name }
  # a file is read in its own run, and later only by people: half the price after a month
  lifecycle_rules = [{ prefix = "raw/", infrequent_days = 30, expire_days = var.raw_days }]
}

module "task_log" {
  source = "../bucket"

  name            = "${var.name}-task-log-${local.account_id}"
  key_arn         = var.key_arn
  log_bucket      = { name = module.access_log.name }
  lifecycle_rules = [{ prefix = "logs/", expire_days = var.task_log_days }]
}
