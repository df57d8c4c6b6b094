variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC, a /16."
  type        = string
}

variable "zones" {
  description = "Availability zones, two or three."
  type        = list(string)
}

variable "has_nat_per_zone" {
  description = "Whether every zone has its own way out; with one NAT gateway the failure of its zone stops syncs."
  type        = bool
}

variable "endpoint_services" {
  description = "Services with an interface endpoint, e.g. `secretsmanager`."
  type        = list(string)
}

variable "logs_key_arn" {
  description = "KMS key of the flow log."
  type        = string
}

variable "log_days" {
  description = "Days that the flow log is kept."
  type        = number
}
