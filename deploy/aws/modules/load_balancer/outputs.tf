output "dns_name" {
  description = "Name of AWS, for a record that is made elsewhere."
  value       = aws_lb.this.dns_name
}

output "target_group_arn" {
  description = "Target group; its targets are the nodes."
  value       = aws_lb_target_group.this.arn
}

output "metric_names" {
  description = "How CloudWatch names load balancer and target group."
  value       = { name = aws_lb.this.arn_suffix, target_group = aws_lb_target_group.this.arn_suffix }
}
