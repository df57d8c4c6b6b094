variable "name" {
  description = "Name of the environment."
  type        = string
}

variable "airflow_version" {
  description = "Version of Airflow; has to be one that AWS offers and this package supports."
  type        = string
}

variable "environment_class" {
  description = "Size of the environment."
  type        = string
}

variable "max_workers" {
  description = "Workers at most."
  type        = number
}

variable "subnet_ids" {
  description = "Private subnets; two are used."
  type        = list(string)
}

variable "group_id" {
  description = "Security group of the workers."
  type        = string
}

variable "is_public" {
  description = "Whether the page is reachable from the internet, behind the login of AWS."
  type        = bool
}

variable "settings" {
  description = "Airflow's settings, `section.key` → value."
  type        = map(string)
}

variable "policy_arn" {
  description = "What tasks may do in AWS."
  type        = string
}

variable "key_arn" {
  description = "KMS key of environment, code and queue."
  type        = string
}

variable "log_bucket" {
  description = "Bucket of access logs."
  type        = string
}
