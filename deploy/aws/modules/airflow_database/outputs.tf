output "host" {
  description = "Host of the database."
  value       = aws_db_instance.this.address
}

output "master_secret_arn" {
  description = "Secret with the master password that RDS rotates."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}
