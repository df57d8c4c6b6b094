output "airflow_url" {
  description = "Address of Airflow's page and API."
  value       = local.is_eks ? "https://${var.host_name}" : module.mwaa[0].url
}

output "load_balancer_dns_name" {
  description = "What host_name has to point at, if hosted_zone_id is not given."
  value       = one(module.load_balancer[*].dns_name)
}

output "airflow_environment" {
  description = "Settings of Airflow that follow from these resources; no secrets."
  value       = local.is_eks ? merge(local.airflow_environment, local.eks_environment) : local.airflow_environment
}

output "pod_role_arn" {
  description = "Role for the annotation `eks.amazonaws.com/role-arn` of the service accounts."
  value       = one(module.eks[*].pod_role_arn)
}

output "helm_values" {
  description = "Values of Airflow's Helm chart that follow from these resources, after those of deploy/kubernetes; no secrets."
  value = local.is_eks ? {
    images = { airflow = { repository = module.registry[0].url } }
    # text, because the chart takes a second list of variables only so
    extraEnv = join("\n", [
      for name, value in merge(local.airflow_environment, local.eks_environment) : "- ${jsonencode({ name = name, value = value })}"
    ])
    apiServer    = local.pod_role_account
    dagProcessor = local.pod_role_account
    scheduler    = local.pod_role_account
    triggerer    = local.pod_role_account
    workers      = { celery = local.pod_role_account, kubernetes = local.pod_role_account }
  } : null
}

output "cluster_name" {
  description = "Name for `aws eks update-kubeconfig`."
  value       = one(module.eks[*].cluster_name)
}

output "node_port" {
  description = "Port of the Service of Airflow's API server."
  value       = local.is_eks ? local.node_port : null
}

output "image_repository" {
  description = "Where the image is pushed to."
  value       = one(module.registry[*].url)
}

output "code_bucket" {
  description = "Bucket of the code of managed Airflow."
  value       = one(module.mwaa[*].code_bucket)
}

output "mysql" {
  description = "Host of MySQL, replicas, and the secret with the master password."
  value = {
    host              = module.database.host
    schema            = local.schema
    replica_hosts     = module.database.replica_hosts
    master_secret_arn = module.database.master_secret_arn
  }
}

output "airflow_database" {
  description = "Host of Airflow's own database, and the secret with its master password."
  value       = one([for database in module.airflow_database : { host = database.host, master_secret_arn = database.master_secret_arn }])
}

output "landing_bucket" {
  description = "Bucket of landed files."
  value       = module.storage.landing.name
}

output "secret_arns" {
  description = "Name → ARN of the secrets whose values a person puts."
  value       = module.secrets.arns
}

output "outgoing_addresses" {
  description = "Addresses that HubSpot and Kaggle see."
  value       = module.network.nat_addresses
}
