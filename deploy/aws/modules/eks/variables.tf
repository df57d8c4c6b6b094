variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of control plane, nodes and pods."
  type        = list(string)
}

variable "node_group_id" {
  description = "Security group of the nodes, beside the cluster's own."
  type        = string
}

variable "node_instance_types" {
  description = "Sizes of the nodes, arm64."
  type        = list(string)
}

variable "node_count" {
  description = "Nodes: at least, at most."
  type        = object({ min = number, max = number })
}

variable "admin_cidrs" {
  description = "Address ranges that may reach the control plane from outside the VPC; empty: none."
  type        = list(string)
}

variable "admin_role_arns" {
  description = "IAM roles of people who administer the cluster."
  type        = list(string)
}

variable "key_arn" {
  description = "KMS key of the secrets in the cluster."
  type        = string
}

variable "policy_arn" {
  description = "What the pods of the syncs may do in AWS."
  type        = string
}

variable "namespace" {
  description = "Namespace of Airflow."
  type        = string
}

variable "service_accounts" {
  description = "Service accounts whose pods get the role: those that run tasks or callbacks."
  type        = list(string)
}

variable "target_group_arn" {
  description = "Target group of the load balancer; its targets are the nodes."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of the logs."
  type        = string
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
}
