output "environment" {
  description = "Name of the environment."
  value       = aws_mwaa_environment.this.name
}

output "url" {
  description = "Address of Airflow."
  value       = "https://${aws_mwaa_environment.this.webserver_url}"
}

output "code_bucket" {
  description = "Bucket of the code."
  value       = module.code.name
}
