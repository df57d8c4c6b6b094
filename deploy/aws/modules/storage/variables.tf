variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "key_arn" {
  description = "KMS key of landed files and task logs."
  type        = string
}

variable "raw_days" {
  description = "Days that landed files are kept; 0: for ever."
  type        = number
}

variable "task_log_days" {
  description = "Days that Airflow's task logs are kept."
  type        = number
}

variable "access_log_days" {
  description = "Days that access logs are kept."
  type        = number
}
