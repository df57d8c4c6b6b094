variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "key_arn" {
  description = "KMS key of topic and queue; lets CloudWatch, EventBridge and Budgets in."
  type        = string
}

variable "emails" {
  description = "Addresses that every alarm goes to; each has to confirm once."
  type        = list(string)
}

variable "https_endpoints" {
  description = "Addresses of services that take SNS messages, e.g. PagerDuty's CloudWatch integration."
  type        = list(string)
}
