# The parts and how they depend on each other. Each module does one thing and knows no other; what they share is here.

locals {
  name          = "hubspot-sync-${var.environment}"
  secret_prefix = "baby-names/${var.environment}"
  schema        = "hubspot_sync"
  is_eks        = var.compute == "eks"
  zones         = [for letter in var.zone_letters : "${var.region}${letter}"]
  packages      = coalesce(var.packages, "${path.module}/build")
  node_port     = 30080
  namespace     = "airflow"

  secret_names = merge(
    {
      hubspot   = "HubSpot: {\"HUBSPOT_API_KEY\": …}"
      kaggle    = "Kaggle: {\"conn_type\": \"http\", \"KAGGLE_API_TOKEN\": …}"
      mysql     = "MySQL user of the syncs: {\"engine\": \"mysql\", \"host\", \"port\", \"username\", \"password\", \"dbname\", \"extra\"}"
      pagerduty = "PagerDuty: {\"conn_type\": \"http\", \"password\": …}, the integration key"
    },
    local.is_eks ? { airflow-trigger = "Airflow user that starts early runs: {\"username\", \"password\"}" } : {},
  )
  # connections of the tasks; the login for early runs is not theirs
  connection_names = ["hubspot", "kaggle", "mysql", "pagerduty"]
}

module "data_key" {
  source = "./modules/key"

  name        = "${local.name}-data"
  description = "Databases, buckets, secrets and images of ${local.name}"
  # managed Airflow writes its logs with the key of the environment
  has_logs = !local.is_eks
}

module "logs_key" {
  source = "./modules/key"

  name        = "${local.name}-logs"
  description = "Logs, trail and alarms of ${local.name}"
  services    = ["budgets.amazonaws.com", "cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com"]
  has_logs    = true
}

module "network" {
  source = "./modules/network"

  name              = local.name
  cidr              = var.vpc_cidr
  zones             = local.zones
  has_nat_per_zone  = var.has_nat_per_zone
  endpoint_services = var.endpoint_services
  logs_key_arn      = module.logs_key.arn
  log_days          = var.log_days
}

module "firewall" {
  source = "./modules/firewall"

  name              = local.name
  vpc_id            = module.network.vpc_id
  endpoint_group_id = module.network.endpoint_group_id
  s3_prefix_list_id = module.network.s3_prefix_list_id
  compute           = var.compute
  node_port         = local.node_port
  client_cidrs      = var.client_cidrs
}

module "storage" {
  source = "./modules/storage"

  name            = local.name
  key_arn         = module.data_key.arn
  raw_days        = var.raw_days
  task_log_days   = var.task_log_days
  access_log_days = var.log_days
}

module "database" {
  source = "./modules/database"

  name           = local.name
  schema         = local.schema
  subnet_ids     = module.network.data_subnet_ids
  group_id       = module.firewall.group_ids["mysql"]
  key_arn        = module.data_key.arn
  engine_version = var.mysql_version
  instance_class = var.mysql_class
  storage_gb     = var.mysql_storage_gb
  backup_days    = var.backup_days
  replica_count  = var.mysql_replica_count
  is_protected   = var.is_protected
  logs_key_arn   = module.logs_key.arn
  log_days       = var.log_days
}

module "secrets" {
  source = "./modules/secrets"

  prefix  = local.secret_prefix
  key_arn = module.data_key.arn
  names   = local.secret_names
}

module "notices" {
  source = "./modules/notices"

  name            = local.name
  key_arn         = module.logs_key.arn
  emails          = var.alarm_emails
  https_endpoints = var.alarm_https_endpoints
}

module "key_rotation" {
  source = "./modules/key_rotation"

  name             = local.name
  secret_arn       = module.secrets.arns["hubspot"]
  secret_key_arn   = module.data_key.arn
  rotation_days    = var.rotation_days
  reminder_days    = var.reminder_days
  hubspot_url      = var.hubspot_url
  packages         = local.packages
  logs_key_arn     = module.logs_key.arn
  log_days         = var.log_days
  failed_calls_arn = module.notices.failed_calls_arn
  topic_arn        = module.notices.topic_arn
}

module "permissions" {
  source = "./modules/permissions"

  name                = local.name
  landing_bucket_arn  = module.storage.landing.arn
  task_log_bucket_arn = module.storage.task_log.arn
  secret_arns         = [for name in local.connection_names : module.secrets.arns[name]]
  key_arn             = module.data_key.arn
}

module "audit" {
  source = "./modules/audit"

  name               = local.name
  key_arn            = module.logs_key.arn
  log_bucket         = module.storage.access_log
  watched_bucket_arn = module.storage.landing.arn
  trail_days         = var.trail_days
  log_days           = var.log_days
}

module "alarms" {
  source = "./modules/alarms"

  name            = local.name
  topic_arn       = module.notices.topic_arn
  database_id     = module.database.id
  storage_gb      = var.mysql_storage_gb
  replica_ids     = module.database.replica_ids
  nat_ids         = module.network.nat_ids
  load_balancer   = one(module.load_balancer[*].metric_names)
  trail_log_group = module.audit.log_group
}

module "budget" {
  source = "./modules/budget"

  name        = local.name
  monthly_usd = var.monthly_budget_usd
  topic_arn   = module.notices.topic_arn
}

module "early_run" {
  source = "./modules/early_run"

  name             = local.name
  dag_id           = var.dag_id
  schedule         = var.early_run_schedule
  packages         = local.packages
  logs_key_arn     = module.logs_key.arn
  log_days         = var.log_days
  failed_calls_arn = module.notices.failed_calls_arn
  topic_arn        = module.notices.topic_arn

  airflow_url  = local.is_eks ? "https://${var.host_name}" : null
  login_secret = local.is_eks ? { arn = module.secrets.arns["airflow-trigger"], key_arn = module.data_key.arn } : null
  network      = local.is_eks ? { subnet_ids = module.network.private_subnet_ids, group_ids = [module.firewall.group_ids["early-run"]] } : null
  mwaa = local.is_eks ? null : {
    environment = local.name
    role_arn    = "arn:${data.aws_partition.current.partition}:airflow:${var.region}:${data.aws_caller_identity.current.account_id}:role/${local.name}/User"
  }
}
