output "id" {
  description = "Name of the writer."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the writer."
  value       = aws_db_instance.this.arn
}

output "host" {
  description = "Host of the writer."
  value       = aws_db_instance.this.address
}

output "replica_ids" {
  description = "Names of the replicas."
  value       = aws_db_instance.replica[*].identifier
}

output "replica_hosts" {
  description = "Hosts of the replicas."
  value       = aws_db_instance.replica[*].address
}

output "master_secret_arn" {
  description = "Secret with the master password that RDS rotates."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}
