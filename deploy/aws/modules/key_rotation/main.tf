# HubSpot's key changes every 90 days. HubSpot gives out keys to people only, so a person puts the new one beside the
# current one (version stage NEXT); the function tests it with real calls and makes it current. Without a new key the
# rotation fails and the alarm says so; the reminder comes two weeks earlier.

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "rotate" {
  statement {
    sid = "RotateThisSecret"
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [var.secret_arn]
  }

  statement {
    sid       = "UseSecretKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.secret_key_arn]
  }
}

module "rotate" {
  source = "../function"

  name        = "${var.name}-rotate-key"
  description = "Tests the new HubSpot key and makes it the current one"
  package     = "${var.packages}/key_rotation.zip"
  handler     = "key_rotation.rotate.handle"
  environment = { HUBSPOT_URL = var.hubspot_url }
  policy_json = data.aws_iam_policy_document.rotate.json
  timeout_s   = 60

  logs_key_arn     = var.logs_key_arn
  log_days         = var.log_days
  failed_calls_arn = var.failed_calls_arn
  topic_arn        = var.topic_arn
}

resource "aws_lambda_permission" "rotate" {
  statement_id   = "SecretsManager"
  action         = "lambda:InvokeFunction"
  function_name  = module.rotate.name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
  source_arn     = var.secret_arn
}

resource "aws_secretsmanager_secret_rotation" "this" {
  secret_id           = var.secret_arn
  rotation_lambda_arn = module.rotate.arn
  # at the first apply there is neither a current nor a next key
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  depends_on = [aws_lambda_permission.rotate]
}

data "aws_iam_policy_document" "remind" {
  statement {
    sid       = "LookAtThisSecret"
    actions   = ["secretsmanager:DescribeSecret"]
    resources = [var.secret_arn]
  }

  statement {
    sid       = "Report"
    actions   = ["sns:Publish"]
    resources = [var.topic_arn]
  }
}

module "remind" {
  source = "../function"

  name        = "${var.name}-remind-of-key"
  description = "Reports when a rotation is near and no new HubSpot key waits"
  package     = "${var.packages}/key_rotation.zip"
  handler     = "key_rotation.remind.handle"
  environment = { SECRET_ID = var.secret_arn, TOPIC_ARN = var.topic_arn, REMINDER_DAYS = tostring(var.reminder_days) }
  policy_json = data.aws_iam_policy_document.remind.json
  timeout_s   = 30

  logs_key_arn     = var.logs_key_arn
  log_days         = var.log_days
  failed_calls_arn = var.failed_calls_arn
  topic_arn        = var.topic_arn
}

resource "aws_cloudwatch_event_rule" "daily" {
  name                = "${var.name}-remind-of-key"
  description         = "Once a day: is a new HubSpot key needed?"
  schedule_expression = "cron(0 7 * * ? *)"
}

resource "aws_cloudwatch_event_target" "daily" {
  rule = aws_cloudwatch_event_rule.daily.name
  arn  = module.remind.arn
}

resource "aws_lambda_permission" "daily" {
  statement_id  = "EventBridge"
  action        = "lambda:InvokeFunction"
  function_name = module.remind.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.daily.arn
}

# Secrets Manager says it by an event, also when the function could not be called at all
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${var.name}-rotation-failed"
  description = "Secrets Manager could not rotate the HubSpot key"

  event_pattern = jsonencode({
    source      = ["aws.secretsmanager"]
    detail-type = ["AWS Service Event via CloudTrail"]
    detail = {
      eventName           = ["RotationFailed"]
      additionalEventData = { SecretId = [var.secret_arn] }
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = var.topic_arn
}
