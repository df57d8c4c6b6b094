variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "landing_bucket_arn" {
  description = "Bucket of landed files."
  type        = string
}

variable "task_log_bucket_arn" {
  description = "Bucket of Airflow's task logs."
  type        = string
}

variable "secret_arns" {
  description = "Secrets that become connections."
  type        = list(string)
}

variable "key_arn" {
  description = "KMS key of files and secrets."
  type        = string
}
