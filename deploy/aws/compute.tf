# What runs Airflow: either EKS with load balancer, image registry and a database of its own, or managed Airflow.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # Airflow's settings that follow from these resources, by environment variable; docs/deployment.md says where to put them
  airflow_environment = {
    AIRFLOW__SECRETS__BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    AIRFLOW__SECRETS__BACKEND_KWARGS = jsonencode({
      connections_prefix = local.secret_prefix
      # nothing else of Airflow is looked for there
      connections_lookup_pattern = "^(${join("|", local.connection_names)})$"
      variables_prefix           = null
      config_prefix              = null
      extra_conn_words           = { password = ["HUBSPOT_API_KEY", "KAGGLE_API_TOKEN"], schema = ["dbname"] }
      region_name                = var.region
    })
    # the role of the pod or of the environment is the credential
    AIRFLOW_CONN_AWS = jsonencode({
      conn_type = "aws"
      extra     = { region_name = var.region, service_config = { s3 = { bucket_name = module.storage.landing.name } } }
    })
    HUBSPOT_SYNC_ENVIRONMENT = var.environment
  }
  # managed Airflow keeps the task logs in CloudWatch by itself
  eks_environment = {
    # of the image; it says what is wrong with a secret. Managed Airflow cannot import it that early, the settings fit both.
    AIRFLOW__SECRETS__BACKEND                = "include.hubspot_sync.orchestration.secrets_backend.ConnectionSecrets"
    AIRFLOW__LOGGING__REMOTE_LOGGING         = "True"
    AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER = "s3://${module.storage.task_log.name}/logs"
    AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID     = "aws"
    AIRFLOW__API__BASE_URL                   = "https://${coalesce(var.host_name, "unused")}"
  }
  # for service accounts of the chart: the names in deploy/kubernetes are those of module.eks.service_accounts
  pod_role_account = local.is_eks ? { serviceAccount = { annotations = { "eks.amazonaws.com/role-arn" = module.eks[0].pod_role_arn } } } : null
  mwaa_settings = {
    "secrets.backend"        = local.airflow_environment["AIRFLOW__SECRETS__BACKEND"]
    "secrets.backend_kwargs" = local.airflow_environment["AIRFLOW__SECRETS__BACKEND_KWARGS"]
  }
}

module "load_balancer" {
  source = "./modules/load_balancer"
  count  = local.is_eks ? 1 : 0

  name            = local.name
  vpc_id          = module.network.vpc_id
  subnet_ids      = var.is_public ? module.network.public_subnet_ids : module.network.private_subnet_ids
  group_id        = module.firewall.group_ids["load-balancer"]
  is_public       = var.is_public
  certificate_arn = var.certificate_arn
  node_port       = local.node_port
  log_bucket      = module.storage.access_log
  is_protected    = var.is_protected
  host_name       = var.host_name
  hosted_zone_id  = var.hosted_zone_id
}

module "registry" {
  source = "./modules/registry"
  count  = local.is_eks ? 1 : 0

  name    = local.name
  key_arn = module.data_key.arn
}

module "airflow_database" {
  source = "./modules/airflow_database"
  count  = local.is_eks ? 1 : 0

  name           = local.name
  subnet_ids     = module.network.data_subnet_ids
  group_id       = module.firewall.group_ids["airflow-database"]
  key_arn        = module.data_key.arn
  instance_class = var.airflow_database_class
  has_standby    = var.airflow_database_has_standby
  is_protected   = var.is_protected
  logs_key_arn   = module.logs_key.arn
  log_days       = var.log_days
}

module "eks" {
  source = "./modules/eks"
  count  = local.is_eks ? 1 : 0

  name                = local.name
  kubernetes_version  = var.kubernetes_version
  subnet_ids          = module.network.private_subnet_ids
  node_group_id       = module.firewall.group_ids["airflow"]
  node_instance_types = var.node_instance_types
  node_count          = var.node_count
  admin_cidrs         = var.admin_cidrs
  admin_role_arns     = var.admin_role_arns
  key_arn             = module.data_key.arn
  policy_arn          = module.permissions.policy_arn
  namespace           = local.namespace
  # of the chart, for what runs tasks or callbacks or reads their logs
  service_accounts = [for part in ["api-server", "dag-processor", "scheduler", "triggerer", "worker"] : "airflow-${part}"]
  target_group_arn = module.load_balancer[0].target_group_arn
  logs_key_arn     = module.logs_key.arn
  log_days         = var.log_days
}

module "mwaa" {
  source = "./modules/mwaa"
  count  = local.is_eks ? 0 : 1

  name              = local.name
  airflow_version   = var.airflow_version
  environment_class = var.mwaa_class
  # five shards, and five tasks to a small worker: a second one is for the rest
  max_workers = 2
  subnet_ids  = module.network.private_subnet_ids
  group_id    = module.firewall.group_ids["airflow"]
  is_public   = var.is_public
  settings    = local.mwaa_settings
  policy_arn  = module.permissions.policy_arn
  key_arn     = module.data_key.arn
  log_bucket  = module.storage.access_log
}
