output "topic_arn" {
  description = "Topic of the alarms."
  value       = aws_sns_topic.alarms.arn
}

output "failed_calls_arn" {
  description = "Queue of events whose function failed for good."
  value       = aws_sqs_queue.failed_calls.arn
}
