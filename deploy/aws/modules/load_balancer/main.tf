# The entrance to Airflow's page and REST API: TLS only, for the clients that modules/firewall names.

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28:only named networks reach it (client_cidrs refuses the whole internet), so no web firewall
  #checkov:skip=CKV2_AWS_20:it has no listener for HTTP at all, so there is nothing to redirect
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = !var.is_public
  subnets                    = var.subnet_ids
  security_groups            = [var.group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.is_protected

  access_logs {
    bucket  = var.log_bucket
    prefix  = "load-balancer"
    enabled = true
  }
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:inside the VPC, from the load balancer to the nodes; the API server speaks HTTP
  name     = var.name
  vpc_id   = var.vpc_id
  protocol = "HTTP"
  port     = var.node_port

  health_check {
    path                = "/api/v2/version"
    interval            = 15
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_route53_record" "this" {
  count = var.hosted_zone_id == null ? 0 : 1

  zone_id = var.hosted_zone_id
  name    = var.host_name
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = false
  }
}
