output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "pod_role_arn" {
  description = "Role of the pods that run tasks, for `serviceAccount.annotations` of the chart."
  value       = aws_iam_role.pod.arn
}
