# MySQL with all state of the syncs: two zones, TLS only, encrypted, restorable to any second of the last weeks.

locals {
  major = join(".", slice(split(".", var.engine_version), 0, 2))

  # what include/hubspot_sync/store demands, and what its sessions set for themselves
  parameters = {
    character_set_server     = "utf8mb4"
    collation_server         = "utf8mb4_bin"
    local_infile             = "1"
    long_query_time          = "2"
    max_allowed_packet       = "67108864"
    require_secure_transport = "ON"
    slow_query_log           = "1"
    sql_mode                 = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
    time_zone                = "UTC"
    transaction_isolation    = "READ-COMMITTED"
  }
  static_parameters = {
    tls_version = "TLSv1.2,TLSv1.3"
  }

  exported_logs = ["error", "slowquery"]
}

# made here, because RDS would make them without key and without end
resource "aws_cloudwatch_log_group" "exported" {
  for_each = toset(local.exported_logs)

  name              = "/aws/rds/instance/${var.name}-mysql/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Zones of MySQL"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-mysql${replace(local.major, ".", "")}"
  description = "TLS only, LOAD DATA LOCAL, strict mode, utf8mb4_bin"
  family      = "mysql${local.major}"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  dynamic "parameter" {
    for_each = local.static_parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-mysql-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "this" {
  identifier     = "${var.name}-mysql"
  engine         = "mysql"
  engine_version = var.engine_version
  instance_class = var.instance_class
  db_name        = var.schema

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_gb * 4
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  # made and rotated by RDS itself, and so neither in the state file nor in a variable
  username                            = "master"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.key_arn
  iam_database_authentication_enabled = true

  multi_az               = true
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.group_id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = var.backup_days
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-mysql-final"
  deletion_protection       = var.is_protected

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = local.exported_logs
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn

  depends_on = [aws_cloudwatch_log_group.exported, aws_iam_role_policy_attachment.monitoring]
}

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:a replica is a copy; the writer stands in two zones
  #checkov:skip=CKV_AWS_133:backups are those of the writer
  count = var.replica_count

  identifier          = "${var.name}-mysql-replica-${count.index + 1}"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class

  storage_encrypted                   = true
  kms_key_id                          = var.key_arn
  iam_database_authentication_enabled = true

  vpc_security_group_ids = [var.group_id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  copy_tags_to_snapshot = true
  skip_final_snapshot   = true
  deletion_protection   = var.is_protected

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = local.exported_logs
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
}
