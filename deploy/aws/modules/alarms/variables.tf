variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "topic_arn" {
  description = "Topic of the alarms."
  type        = string
}

variable "database_id" {
  description = "Instance of MySQL."
  type        = string
}

variable "storage_gb" {
  description = "Storage of MySQL at the beginning, in GB."
  type        = number
}

variable "replica_ids" {
  description = "Replicas of MySQL."
  type        = list(string)
}

variable "nat_ids" {
  description = "NAT gateways by zone."
  type        = map(string)
}

variable "load_balancer" {
  description = "Load balancer and its target group as CloudWatch names them; null without."
  type        = object({ name = string, target_group = string })
}

variable "trail_log_group" {
  description = "Log group of CloudTrail."
  type        = string
}
