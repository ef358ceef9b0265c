# Made by `make docs`.

output "notification_topic_arn" {
  description = "The topic of failures and alarms"
  value       = try(module.stack.outputs["WatchbotNotificationTopicArn"], null)
}

output "scheduler_dynamo_dbtable" {
  description = "The schedules of stacks"
  value       = try(module.stack.outputs["SchedulerDynamoDBTable"], null)
}

output "log_group" {
  description = "Where tasks log"
  value       = try(module.stack.outputs["WatchbotLogGroup"], null)
}

output "token" {
  description = "The function that stacks call"
  value       = try(module.stack.outputs["Token"], null)
}

output "token_arn" {
  description = "The ServiceToken of Custom::ScheduleTask"
  value       = try(module.stack.outputs["TokenArn"], null)
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
