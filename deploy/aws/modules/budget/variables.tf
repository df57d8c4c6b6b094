variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "monthly_usd" {
  description = "What a month may cost, in US dollars."
  type        = number
}

variable "topic_arn" {
  description = "Topic of the alarms."
  type        = string
}
