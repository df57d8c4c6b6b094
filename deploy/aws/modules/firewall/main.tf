# Who may talk to whom, each way named once on both sides. Nothing else passes: no group has a rule that is not here.
#
#   clients ──443──▶ load balancer ──node port──▶ airflow ──3306──▶ mysql, ──5432──▶ airflow's database
#                        ▲ 443                       ├──443──▶ endpoints, S3
#                    early run ──443──▶ endpoints    └──443──▶ internet (HubSpot, Kaggle, PagerDuty)

locals {
  is_eks = var.compute == "eks"

  groups = merge(
    {
      airflow = "Airflow's workers"
      mysql   = "MySQL with the state of the syncs"
    },
    local.is_eks ? {
      load-balancer    = "Entrance to Airflow's page and API"
      airflow-database = "Airflow's own database"
      early-run        = "Function that asks Airflow for an early run"
    } : {},
  )

  # name → one way from a group to a group
  ways = merge(
    {
      airflow-mysql     = { from = "airflow", to = "mysql", port = 3306 }
      airflow-endpoints = { from = "airflow", to = "endpoints", port = 443 }
    },
    local.is_eks ? {
      airflow-database        = { from = "airflow", to = "airflow-database", port = 5432 }
      load-balancer-airflow   = { from = "load-balancer", to = "airflow", port = var.node_port }
      early-run-load-balancer = { from = "early-run", to = "load-balancer", port = 443 }
      early-run-endpoints     = { from = "early-run", to = "endpoints", port = 443 }
    } : {},
  )

  group_ids = merge({ for name, group in aws_security_group.this : name => group.id }, { endpoints = var.endpoint_group_id })
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:attached by the modules that get the id
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "way" {
  for_each = local.ways

  security_group_id            = local.group_ids[each.value.from]
  description                  = "to ${each.value.to}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = local.group_ids[each.value.to]
}

resource "aws_vpc_security_group_ingress_rule" "way" {
  for_each = local.ways

  security_group_id            = local.group_ids[each.value.to]
  description                  = "from ${each.value.from}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = local.group_ids[each.value.from]
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  security_group_id = local.group_ids["airflow"]
  description       = "to S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = var.s3_prefix_list_id
}

# HubSpot, Kaggle and PagerDuty publish no fixed addresses; the port and TLS are what can be held
resource "aws_vpc_security_group_egress_rule" "internet" {
  security_group_id = local.group_ids["airflow"]
  description       = "to HubSpot, Kaggle and PagerDuty"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = local.is_eks ? toset(var.client_cidrs) : toset([])

  security_group_id = local.group_ids["load-balancer"]
  description       = "from clients"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = each.key
}

# managed Airflow refuses an environment whose group does not let its own members in:
# https://docs.aws.amazon.com/mwaa/latest/userguide/vpc-security.html
resource "aws_vpc_security_group_ingress_rule" "mwaa_members" {
  count = local.is_eks ? 0 : 1

  security_group_id            = local.group_ids["airflow"]
  description                  = "from members of this group"
  ip_protocol                  = "-1"
  referenced_security_group_id = local.group_ids["airflow"]
}

resource "aws_vpc_security_group_egress_rule" "mwaa_members" {
  count = local.is_eks ? 0 : 1

  security_group_id            = local.group_ids["airflow"]
  description                  = "to members of this group"
  ip_protocol                  = "-1"
  referenced_security_group_id = local.group_ids["airflow"]
}
