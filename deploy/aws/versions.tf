terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # exact: the tests apply with this one, and a provider update may plan changes of a database
      version = "5.100.0"
    }
  }

  # bucket, key and region come from `-backend-config`, see docs/deployment.md
  backend "s3" {
    use_lockfile = true
    encrypt      = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = "hubspot-sync"
      environment = var.environment
      managed_by  = "terraform"
    }
  }
}
