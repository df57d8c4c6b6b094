variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, or public ones if it is public."
  type        = list(string)
}

variable "group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "is_public" {
  description = "Whether it has addresses in the internet."
  type        = bool
}

variable "certificate_arn" {
  description = "Certificate of the host name, in ACM."
  type        = string
}

variable "node_port" {
  description = "Port of the nodes on which Airflow answers."
  type        = number
}

variable "log_bucket" {
  description = "Bucket of access logs."
  type        = string
}

variable "is_protected" {
  description = "Whether AWS refuses to delete it."
  type        = bool
}

variable "host_name" {
  description = "Name under which Airflow is opened."
  type        = string
}

variable "hosted_zone_id" {
  description = "Zone of Route 53 that gets the name; null: the record is made elsewhere."
  type        = string
}
