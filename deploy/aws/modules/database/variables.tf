variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "schema" {
  description = "Schema of the syncs."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the instances, in at least two zones."
  type        = list(string)
}

variable "group_id" {
  description = "Security group of the instances."
  type        = string
}

variable "key_arn" {
  description = "KMS key of storage, backups and master password."
  type        = string
}

variable "engine_version" {
  description = "Version of MySQL, major and minor; AWS chooses the patch."
  type        = string
}

variable "instance_class" {
  description = "Size of each instance."
  type        = string
}

variable "storage_gb" {
  description = "Storage at the beginning, in GB; it grows to four times as much."
  type        = number
}

variable "backup_days" {
  description = "Days back to which the database can be restored, to the second."
  type        = number
}

variable "replica_count" {
  description = "Read replicas, for reports; syncs use the writer only."
  type        = number
}

variable "is_protected" {
  description = "Whether AWS refuses to delete the database."
  type        = bool
}

variable "logs_key_arn" {
  description = "KMS key of the exported logs."
  type        = string
}

variable "log_days" {
  description = "Days that the exported logs are kept."
  type        = number
}
