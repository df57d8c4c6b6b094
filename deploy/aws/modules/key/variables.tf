variable "name" {
  description = "Alias of the key, without `alias/`."
  type        = string
}

variable "description" {
  description = "What the key encrypts."
  type        = string
}

variable "services" {
  description = "AWS services that encrypt with the key in this account's name, e.g. `cloudwatch.amazonaws.com`."
  type        = list(string)
  default     = []
}

variable "has_logs" {
  description = "Whether CloudWatch log groups of this account may use the key."
  type        = bool
  default     = false
}
