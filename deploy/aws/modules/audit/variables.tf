variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the trail and its log group."
  type        = string
}

variable "log_bucket" {
  description = "Bucket of access logs."
  type        = string
}

variable "watched_bucket_arn" {
  description = "Bucket whose reads and writes are recorded one by one."
  type        = string
}

variable "trail_days" {
  description = "Days that the trail is kept in S3."
  type        = number
}

variable "log_days" {
  description = "Days that the trail is kept in CloudWatch."
  type        = number
}
