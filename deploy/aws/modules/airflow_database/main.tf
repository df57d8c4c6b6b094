# Airflow's own database on EKS. It may be lost: all state of the syncs is in MySQL, so it is small and by default in one
# zone. Managed Airflow brings its own.

resource "aws_db_subnet_group" "this" {
  name        = "${var.name}-airflow"
  description = "Zones of Airflow's own database"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-airflow-postgres16"
  description = "TLS only, slow statements in the log"
  family      = "postgres16"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "2000"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "exported" {
  name              = "/aws/rds/instance/${var.name}-airflow/postgresql"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:may be lost, see above; has_standby = true puts a copy into another zone
  #checkov:skip=CKV_AWS_118:the metrics of CloudWatch are enough for a database that may be lost
  identifier     = "${var.name}-airflow"
  engine         = "postgres"
  engine_version = "16"
  instance_class = var.instance_class
  db_name        = "airflow"

  allocated_storage     = 20
  max_allocated_storage = 40
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  username                            = "master"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.key_arn
  iam_database_authentication_enabled = true

  multi_az               = var.has_standby
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.group_id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = 7
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-airflow-final"
  deletion_protection       = var.is_protected

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn

  depends_on = [aws_cloudwatch_log_group.exported]
}
