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
