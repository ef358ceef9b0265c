output "queue_url" {
  description = "For WATCHBOT_QUEUE_URL of `watchbot record`."
  value       = aws_sqs_queue.events.url
}

output "queue_arn" {
  description = "The task's role needs sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on it."
  value       = aws_sqs_queue.events.arn
}

output "dead_letter_queue_url" {
  description = "Where events are that could not be delivered or written down."
  value       = aws_sqs_queue.dead_letters.url
}
