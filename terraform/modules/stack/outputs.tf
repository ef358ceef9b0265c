output "outputs" {
  description = "The outputs of the stack, by the names that the template gives them."
  value       = aws_cloudformation_stack.this.outputs
}
