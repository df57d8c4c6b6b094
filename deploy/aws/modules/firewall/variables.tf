variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "endpoint_group_id" {
  description = "Security group of the interface endpoints."
  type        = string
}

variable "s3_prefix_list_id" {
  description = "Addresses of S3."
  type        = string
}

variable "compute" {
  description = "What runs Airflow: `eks` or `mwaa`."
  type        = string
}

variable "node_port" {
  description = "Port of the nodes on which the load balancer finds Airflow."
  type        = number
}

variable "client_cidrs" {
  description = "Address ranges that may open Airflow's page and API."
  type        = list(string)
}
