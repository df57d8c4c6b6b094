variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "secret_arn" {
  description = "Secret with the HubSpot key."
  type        = string
}

variable "secret_key_arn" {
  description = "KMS key of the secret."
  type        = string
}

variable "rotation_days" {
  description = "Days between two rotations."
  type        = number
}

variable "reminder_days" {
  description = "Days before a rotation from which on the missing new key is reported."
  type        = number
}

variable "hubspot_url" {
  description = "Address of HubSpot's API."
  type        = string
}

variable "packages" {
  description = "Folder of the zip files of the functions."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of logs and settings."
  type        = string
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "failed_calls_arn" {
  description = "Queue for events whose calls failed for good."
  type        = string
}

variable "topic_arn" {
  description = "Topic of the alarms."
  type        = string
}
