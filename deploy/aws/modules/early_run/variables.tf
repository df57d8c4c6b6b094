variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "airflow_url" {
  description = "Address of Airflow's API behind the load balancer; null with managed Airflow."
  type        = string
  default     = null
}

variable "login_secret" {
  description = "Secret with `username` and `password` of the Airflow user that triggers, and its KMS key; null with managed Airflow."
  type        = object({ arn = string, key_arn = string })
  default     = null
}

variable "network" {
  description = "Where the load balancer can be reached from; null with managed Airflow."
  type = object({
    subnet_ids = list(string)
    group_ids  = list(string)
  })
  default = null
}

variable "mwaa" {
  description = "Name of the environment and ARN of the Airflow role in it; null on EKS."
  type        = object({ environment = string, role_arn = string })
  default     = null
}

variable "dag_id" {
  description = "DAG that runs early."
  type        = string
}

variable "schedule" {
  description = "Schedule expression of EventBridge for runs beside the DAG's own schedule; null: only on request."
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
