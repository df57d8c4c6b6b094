variable "prefix" {
  description = "Beginning of every name; Airflow's `connections_prefix`."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the secrets."
  type        = string
}

variable "names" {
  description = "Name → what it holds."
  type        = map(string)
}
