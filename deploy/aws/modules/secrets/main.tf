# The places of the secrets. Their values are put by a person (docs/deployment.md) and never pass Terraform, whose state
# file would keep them.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:hubspot rotates by modules/key_rotation; Kaggle, PagerDuty and Airflow give out keys to people only
  for_each = var.names

  name                    = "${var.prefix}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = 30
}
