variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the instance, in at least two zones."
  type        = list(string)
}

variable "group_id" {
  description = "Security group of the instance."
  type        = string
}

variable "key_arn" {
  description = "KMS key of storage, backups and master password."
  type        = string
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
}

variable "has_standby" {
  description = "Whether a copy in another zone stands by."
  type        = bool
}

variable "is_protected" {
  description = "Whether AWS refuses to delete the database."
  type        = bool
}

variable "logs_key_arn" {
  description = "KMS key of the exported log."
  type        = string
}

variable "log_days" {
  description = "Days that the exported log is kept."
  type        = number
}
