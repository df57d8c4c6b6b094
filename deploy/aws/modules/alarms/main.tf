# Alarms on what AWS alone can see. What the syncs do is watched by Prometheus and Airflow (docs/operations.md).

locals {
  gb = 1024 * 1024 * 1024

  database = {
    storage-low = {
      metric = "FreeStorageSpace", comparison = "LessThanThreshold", threshold = var.storage_gb * local.gb / 5, minutes = 15
      text   = "MySQL has less than a fifth of its first storage left: look at the size of outbox and staging, raise storage_gb."
    }
    memory-low = {
      metric = "FreeableMemory", comparison = "LessThanThreshold", threshold = local.gb / 4, minutes = 30
      text   = "MySQL has less than 256 MB of memory left: take a larger instance_class."
    }
    busy = {
      metric = "CPUUtilization", comparison = "GreaterThanThreshold", threshold = 90, minutes = 60
      text   = "MySQL has been busy for an hour, longer than any sync: look at SHOW PROCESSLIST."
    }
    connections-many = {
      metric = "DatabaseConnections", comparison = "GreaterThanThreshold", threshold = 100, minutes = 15
      text   = "More than 100 connections to MySQL: five shards need less than 30."
    }
    credits-low = {
      metric = "CPUCreditBalance", comparison = "LessThanThreshold", threshold = 20, minutes = 60
      text   = "MySQL has used up its CPU credits and becomes slow or costs more: take an instance class without credits."
    }
  }

  # pattern of CloudTrail → what it means; each is rare and never part of a sync
  trail = {
    root-used = {
      pattern = "{ ($.userIdentity.type = \"Root\") && ($.userIdentity.invokedBy NOT EXISTS) && ($.eventType != \"AwsServiceEvent\") }"
      text    = "The root user of the account did something."
    }
    refused = {
      pattern = "{ ($.errorCode = \"AccessDenied\") && ($.eventSource = \"secretsmanager.amazonaws.com\") }"
      text    = "Somebody was refused a secret: a wrong role of ours, or somebody who looks around."
    }
    trail-changed = {
      pattern = "{ ($.eventName = StopLogging) || ($.eventName = DeleteTrail) || ($.eventName = UpdateTrail) }"
      text    = "CloudTrail was stopped or changed."
    }
    key-disabled = {
      pattern = "{ ($.eventSource = \"kms.amazonaws.com\") && (($.eventName = DisableKey) || ($.eventName = ScheduleKeyDeletion)) }"
      text    = "A KMS key was disabled or is to be deleted: everything that it encrypts becomes unreadable."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database

  alarm_name          = "${var.name}-mysql-${each.key}"
  alarm_description   = each.value.text
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.database_id }
  statistic           = "Average"
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.minutes / 5
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "replica_late" {
  for_each = toset(var.replica_ids)

  alarm_name          = "${each.key}-late"
  alarm_description   = "The replica is more than five minutes behind the writer."
  namespace           = "AWS/RDS"
  metric_name         = "ReplicaLag"
  dimensions          = { DBInstanceIdentifier = each.key }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 300
  period              = 300
  evaluation_periods  = 3
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "nat" {
  for_each = var.nat_ids

  alarm_name          = "${var.name}-nat-${each.key}-full"
  alarm_description   = "The NAT gateway could not give out a port: something opens connections without end."
  namespace           = "AWS/NATGateway"
  metric_name         = "ErrorPortAllocation"
  dimensions          = { NatGatewayId = each.value }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "no_target" {
  count = var.load_balancer == null ? 0 : 1

  alarm_name          = "${var.name}-airflow-unreachable"
  alarm_description   = "The load balancer finds no healthy API server of Airflow."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = var.load_balancer.name, TargetGroup = var.load_balancer.target_group }
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "server_errors" {
  count = var.load_balancer == null ? 0 : 1

  alarm_name          = "${var.name}-airflow-errors"
  alarm_description   = "Airflow's API server answers with errors."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = var.load_balancer.name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 20
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_log_metric_filter" "trail" {
  for_each = local.trail

  name           = "${var.name}-${each.key}"
  log_group_name = var.trail_log_group
  pattern        = each.value.pattern

  metric_transformation {
    name          = each.key
    namespace     = var.name
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "trail" {
  for_each = local.trail

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = var.name
  metric_name         = aws_cloudwatch_log_metric_filter.trail[each.key].metric_transformation[0].name
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
}
