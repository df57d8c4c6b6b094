variable "name" {
  description = "Name of the function."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "package" {
  description = "Zip file with the code, written by `python -m tools.aws_functions`."
  type        = string
}

variable "handler" {
  description = "Module and function, e.g. `rotation.handler.handle`."
  type        = string
}

variable "environment" {
  description = "Settings. No secrets: names of secrets at most."
  type        = map(string)
}

variable "policy_json" {
  description = "What it may do beyond writing its log."
  type        = string
}

variable "timeout_s" {
  description = "Seconds until a call is ended."
  type        = number
}

variable "network" {
  description = "Subnets and security groups, for what is reachable inside the VPC only; null: outside."
  type = object({
    subnet_ids = list(string)
    group_ids  = list(string)
  })
  default = null
}

variable "logs_key_arn" {
  description = "KMS key of log and settings."
  type        = string
}

variable "log_days" {
  description = "Days that the log is kept."
  type        = number
}

variable "failed_calls_arn" {
  description = "Queue for events whose calls failed for good."
  type        = string
}

variable "topic_arn" {
  description = "Topic that hears of failed calls."
  type        = string
}
