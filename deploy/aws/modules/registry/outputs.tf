output "url" {
  description = "Address to push to."
  value       = aws_ecr_repository.this.repository_url
}
