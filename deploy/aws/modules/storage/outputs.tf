output "landing" {
  description = "Name and ARN of the bucket of landed files."
  value       = { name = module.landing.name, arn = module.landing.arn }
}

output "task_log" {
  description = "Name and ARN of the bucket of Airflow's task logs."
  value       = { name = module.task_log.name, arn = module.task_log.arn }
}

output "access_log" {
  description = "Name of the bucket of access logs."
  value       = module.access_log.name
}
