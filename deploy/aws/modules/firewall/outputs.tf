output "group_ids" {
  description = "Name → id of each security group."
  value       = { for name, group in aws_security_group.this : name => group.id }
}
