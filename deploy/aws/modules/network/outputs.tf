output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets with a way in from the internet."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets with a way out through NAT."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "data_subnet_ids" {
  description = "Subnets without a way out."
  value       = [for zone in var.zones : aws_subnet.data[zone].id]
}

output "endpoint_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "s3_prefix_list_id" {
  description = "Addresses of S3, for rules of security groups."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}

output "nat_addresses" {
  description = "Addresses that calls to HubSpot and Kaggle come from."
  value       = [for address in aws_eip.nat : address.public_ip]
}

output "nat_ids" {
  description = "Zone → NAT gateway."
  value       = { for zone, gateway in aws_nat_gateway.this : zone => gateway.id }
}
