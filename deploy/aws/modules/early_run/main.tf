# An event "early run requested" on the account's default bus starts the DAG through Airflow's REST API. Whoever may put
# events may ask; the event's id becomes the id of the run, so that an event delivered twice starts one run.

data "aws_iam_policy_document" "early_run" {
  dynamic "statement" {
    for_each = var.login_secret == null ? [] : [var.login_secret]

    content {
      sid       = "ReadLogin"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = var.login_secret == null ? [] : [var.login_secret]

    content {
      sid       = "UseSecretKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value.key_arn]
    }
  }

  dynamic "statement" {
    for_each = var.mwaa == null ? [] : [var.mwaa]

    content {
      sid       = "CallAirflow"
      actions   = ["airflow:InvokeRestApi"]
      resources = [statement.value.role_arn]
    }
  }
}

module "function" {
  source = "../function"

  name        = "${var.name}-early-run"
  description = "Asks Airflow for a run of ${var.dag_id}"
  package     = "${var.packages}/early_run.zip"
  handler     = "early_run.handler.handle"
  policy_json = data.aws_iam_policy_document.early_run.json
  timeout_s   = 60
  network     = var.network

  environment = merge(
    { DAG_ID = var.dag_id },
    var.airflow_url == null ? {} : { AIRFLOW_URL = var.airflow_url },
    var.login_secret == null ? {} : { LOGIN_SECRET_ID = var.login_secret.arn },
    var.mwaa == null ? {} : { MWAA_ENVIRONMENT = var.mwaa.environment },
  )

  logs_key_arn     = var.logs_key_arn
  log_days         = var.log_days
  failed_calls_arn = var.failed_calls_arn
  topic_arn        = var.topic_arn
}

resource "aws_cloudwatch_event_rule" "requested" {
  name        = "${var.name}-early-run-requested"
  description = "Somebody asked for an early run"

  event_pattern = jsonencode({
    source      = ["hubspot-sync"]
    detail-type = ["early run requested"]
  })
}

resource "aws_cloudwatch_event_rule" "scheduled" {
  count = var.schedule == null ? 0 : 1

  name                = "${var.name}-early-run-scheduled"
  description         = "Runs beside the DAG's own schedule"
  schedule_expression = var.schedule
}

locals {
  rules = merge(
    { requested = aws_cloudwatch_event_rule.requested },
    { for rule in aws_cloudwatch_event_rule.scheduled : "scheduled" => rule },
  )
}

resource "aws_cloudwatch_event_target" "function" {
  for_each = local.rules

  rule = each.value.name
  arn  = module.function.arn
}

resource "aws_lambda_permission" "rule" {
  for_each = local.rules

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "events.amazonaws.com"
  source_arn    = each.value.arn
}
