# Made by `make docs`.

output "queue_url" {
  description = "The queue of the service"
  value       = try(module.stack.outputs["WatchbotQueueUrl"], null)
}

output "queue_arn" {
  description = "Its ARN"
  value       = try(module.stack.outputs["WatchbotQueueArn"], null)
}

output "dead_letter_queue_url" {
  description = "The queue of messages that failed too often"
  value       = try(module.stack.outputs["WatchbotDeadLetterQueueUrl"], null)
}

output "topic_arn" {
  description = "Messages published here are worked on"
  value       = try(module.stack.outputs["WatchbotTopicArn"], null)
}

output "notification_topic_arn" {
  description = "The topic of failures and alarms"
  value       = try(module.stack.outputs["WatchbotNotificationTopicArn"], null)
}

output "log_group" {
  description = "Where tasks log"
  value       = try(module.stack.outputs["WatchbotLogGroup"], null)
}

output "task_role_name" {
  description = "Attach policies for workers to this role"
  value       = try(module.stack.outputs["WatchbotTaskRoleName"], null)
}

output "cluster_name" {
  description = "The ECS cluster of the service"
  value       = try(module.stack.outputs["WatchbotClusterName"], null)
}

output "service_name" {
  description = "The ECS service"
  value       = try(module.stack.outputs["WatchbotServiceName"], null)
}

output "high_queue_url" {
  description = "The queue of the service (high)"
  value       = try(module.stack.outputs["WatchbotHighQueueUrl"], null)
}

output "high_queue_arn" {
  description = "Its ARN"
  value       = try(module.stack.outputs["WatchbotHighQueueArn"], null)
}

output "high_dead_letter_queue_url" {
  description = "The queue of messages that failed too often (high)"
  value       = try(module.stack.outputs["WatchbotHighDeadLetterQueueUrl"], null)
}

output "low_queue_url" {
  description = "The queue of the service (low)"
  value       = try(module.stack.outputs["WatchbotLowQueueUrl"], null)
}

output "low_queue_arn" {
  description = "Its ARN"
  value       = try(module.stack.outputs["WatchbotLowQueueArn"], null)
}

output "low_dead_letter_queue_url" {
  description = "The queue of messages that failed too often (low)"
  value       = try(module.stack.outputs["WatchbotLowDeadLetterQueueUrl"], null)
}

output "high_topic_arn" {
  description = "Messages published here are worked on (high)"
  value       = try(module.stack.outputs["WatchbotHighTopicArn"], null)
}

output "low_topic_arn" {
  description = "Messages published here are worked on (low)"
  value       = try(module.stack.outputs["WatchbotLowTopicArn"], null)
}
