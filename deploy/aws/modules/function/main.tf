# A Lambda function with a role of its own, a log that ends, and an alarm on its errors.

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "own" {
  source_policy_documents = [var.policy_json]

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
  }

  statement {
    sid       = "ReportFailedCalls"
    actions   = ["sqs:SendMessage"]
    resources = [var.failed_calls_arn]
  }

  # settings and the queue are encrypted with it
  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.logs_key_arn]
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.own.json
}

# network interfaces of a function in a VPC; some of these actions exist for all resources only, so AWS keeps the list
resource "aws_iam_role_policy_attachment" "network" {
  count = var.network == null ? 0 : 1

  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:X-Ray grants its actions for all resources only; one line of log per call tells as much
  #checkov:skip=CKV_AWS_115:a reservation fails in accounts with the initial limit of ten, and calls here are a few a day
  #checkov:skip=CKV_AWS_117:in the VPC only if what it calls is there: otherwise the VPC would only add rights
  #checkov:skip=CKV_AWS_272:the package is built from this repository by who applies; the role that may change it is the applier's
  function_name    = var.name
  description      = var.description
  role             = aws_iam_role.this.arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = var.handler
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  timeout          = var.timeout_s
  memory_size      = 256
  kms_key_arn      = var.logs_key_arn

  environment {
    variables = var.environment
  }

  dead_letter_config {
    target_arn = var.failed_calls_arn
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.group_ids
    }
  }

  # Lambda would make the log group itself, without key and without end
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.own, aws_iam_role_policy_attachment.network]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "A call of ${var.name} failed: its log has a line that begins with error. See docs/deployment.md."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}
