output "log_group" {
  description = "Log group of the trail."
  value       = aws_cloudwatch_log_group.trail.name
}
