variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "environment" {
  description = "What the copy is for, e.g. `prod`; part of every name, and of the names of the secrets."
  type        = string
  default     = "prod"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment needs 2 to 10 lower-case letters and digits: names of load balancers are short."
  }
}

variable "compute" {
  description = "What runs Airflow: `eks` (Kubernetes with the official chart and our image) or `mwaa` (managed by AWS)."
  type        = string
  default     = "eks"

  validation {
    condition     = contains(["eks", "mwaa"], var.compute)
    error_message = "compute is eks or mwaa."
  }
}

# network

variable "vpc_cidr" {
  description = "Address range of the VPC, a /16."
  type        = string
  default     = "10.60.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && endswith(var.vpc_cidr, "/16")
    error_message = "vpc_cidr is an IPv4 range of the form 10.60.0.0/16."
  }
}

variable "zone_letters" {
  description = "Availability zones of the region, by their letter."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = contains([2, 3], length(var.zone_letters))
    error_message = "two or three zones."
  }
}

variable "has_nat_per_zone" {
  description = "A NAT gateway in every zone instead of one. With one, a failed zone may stop syncs; they go on where they were."
  type        = bool
  default     = false
}

variable "endpoint_services" {
  description = "AWS services that are reached inside the VPC. Each costs by the hour and zone (docs/cost.md); without one its calls go out through NAT, by TLS."
  type        = list(string)
  default     = ["secretsmanager"]

  validation {
    condition     = contains(var.endpoint_services, "secretsmanager")
    error_message = "endpoint_services needs secretsmanager: the function for early runs has no other way out."
  }
}

variable "client_cidrs" {
  description = "Networks that may open Airflow's page and API."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrnetmask(cidr)) && tonumber(split("/", cidr)[1]) >= 8])
    error_message = "client_cidrs are IPv4 ranges of at most a /8: Airflow is not for the whole internet."
  }
}

variable "is_public" {
  description = "Whether client_cidrs come through the internet; else by VPN or peering."
  type        = bool
  default     = false
}

variable "host_name" {
  description = "Name under which Airflow is opened, e.g. `airflow.example.com`; needed with eks."
  type        = string
  default     = null

  validation {
    condition     = var.compute != "eks" || var.host_name != null
    error_message = "host_name is needed with eks."
  }
}

variable "certificate_arn" {
  description = "Certificate of host_name in ACM; needed with eks."
  type        = string
  default     = null

  validation {
    condition     = var.compute != "eks" || var.certificate_arn != null
    error_message = "certificate_arn is needed with eks."
  }
}

variable "hosted_zone_id" {
  description = "Zone of Route 53 that gets host_name; null: the record is made elsewhere."
  type        = string
  default     = null
}

# compute

variable "kubernetes_version" {
  description = "Version of Kubernetes on EKS; one in standard support costs a sixth of an older one."
  type        = string
  default     = "1.34"
}

variable "node_instance_types" {
  description = "Sizes of the nodes, arm64."
  type        = list(string)
  default     = ["t4g.large"]
}

variable "node_count" {
  description = "Nodes at least and at most."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 4 }
}

variable "admin_cidrs" {
  description = "Networks that reach the control plane of EKS through the internet; empty: only from the VPC."
  type        = list(string)
  default     = []
}

variable "admin_role_arns" {
  description = "IAM roles of people who administer the cluster."
  type        = list(string)
  default     = []
}

variable "airflow_version" {
  description = "Version of managed Airflow; this package needs 3.3, look whether AWS offers it."
  type        = string
  default     = "3.3.2"
}

variable "mwaa_class" {
  description = "Size of the managed environment."
  type        = string
  default     = "mw1.small"
}

# databases

variable "mysql_version" {
  description = "Version of MySQL: major and minor."
  type        = string
  default     = "8.4"

  validation {
    condition     = can(regex("^(8\\.4|9\\.[0-9]+)$", var.mysql_version))
    error_message = "mysql_version is 8.4 or newer: AWS charges extended support for 8.0."
  }
}

variable "mysql_class" {
  description = "Size of each MySQL instance."
  type        = string
  default     = "db.t4g.medium"
}

variable "mysql_storage_gb" {
  description = "Storage of MySQL at the beginning."
  type        = number
  default     = 20
}

variable "mysql_replica_count" {
  description = "Read replicas for reports; 0: none."
  type        = number
  default     = 0

  validation {
    condition     = var.mysql_replica_count >= 0 && var.mysql_replica_count <= 5
    error_message = "0 to 5 replicas."
  }
}

variable "backup_days" {
  description = "Days back to which MySQL can be restored."
  type        = number
  default     = 14
}

variable "airflow_database_class" {
  description = "Size of Airflow's own database on EKS."
  type        = string
  default     = "db.t4g.micro"
}

variable "airflow_database_has_standby" {
  description = "Whether Airflow's own database has a copy in another zone. It may be lost without harm to the syncs."
  type        = bool
  default     = false
}

variable "is_protected" {
  description = "Whether AWS refuses to delete databases and load balancer."
  type        = bool
  default     = true
}

# secrets

variable "rotation_days" {
  description = "Days after which the HubSpot key is replaced."
  type        = number
  default     = 90
}

variable "reminder_days" {
  description = "Days before a rotation from which on a missing new key is reported daily."
  type        = number
  default     = 14
}

variable "hubspot_url" {
  description = "Address of HubSpot's API."
  type        = string
  default     = "https://api.hubapi.com"

  validation {
    condition     = startswith(var.hubspot_url, "https://")
    error_message = "hubspot_url begins with https://, because the key goes there."
  }
}

# early runs

variable "dag_id" {
  description = "DAG that an early run starts."
  type        = string
  default     = "baby_names_to_hubspot"
}

variable "early_run_schedule" {
  description = "Schedule of EventBridge for runs beside the DAG's own, e.g. `cron(0 5 * * ? *)`; null: only on request."
  type        = string
  default     = null
}

# how long things are kept, who is told, what it may cost

variable "raw_days" {
  description = "Days that landed files are kept; 0: for ever. Keep them longer than lineage may be asked for."
  type        = number
  default     = 400
}

variable "task_log_days" {
  description = "Days that Airflow's task logs are kept."
  type        = number
  default     = 90
}

variable "log_days" {
  description = "Days that other logs are kept; one of CloudWatch's numbers, e.g. 365, 400, 545, 731."
  type        = number
  default     = 365
}

variable "trail_days" {
  description = "Days that CloudTrail's files are kept."
  type        = number
  default     = 731
}

variable "alarm_emails" {
  description = "Addresses that get every alarm."
  type        = list(string)
  default     = []
}

variable "alarm_https_endpoints" {
  description = "Addresses that take SNS messages, e.g. of PagerDuty's CloudWatch integration."
  type        = list(string)
  default     = []
}

variable "monthly_budget_usd" {
  description = "What a month may cost before the budget alarm."
  type        = number
  default     = 450
}

variable "packages" {
  description = "Folder of the zip files of the functions, written by `python -m tools.aws_functions`; null: `build` beside this file."
  type        = string
  default     = null
}
