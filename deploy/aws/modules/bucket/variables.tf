variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the objects; null: keys of S3, which log deliveries of S3 and load balancers demand."
  type        = string
  default     = null
}

variable "log_bucket" {
  description = "Bucket that receives the access log; null: none. An object, because its name is not known before it is made."
  type        = object({ name = string })
  default     = null
}

variable "lifecycle_rules" {
  description = "Days after which objects below a prefix move to infrequent access and go; 0: never."
  type = list(object({
    prefix          = string
    infrequent_days = optional(number, 0)
    expire_days     = optional(number, 0)
  }))
  default = []
}

variable "noncurrent_days" {
  description = "Days that replaced and deleted versions are kept."
  type        = number
  default     = 30
}

variable "policy_json" {
  description = "Further statements of the bucket policy, as a policy document."
  type        = string
  default     = null
}
