# The variables of every module that makes a stack; `make docs` copies them to the others.
variable "name" {
  description = "The name of the stack and of its service."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,63}$", var.name))
    error_message = "name must be a letter, then letters, digits and hyphens, at most 64 of them."
  }
}

variable "env" {
  description = "Variables of the container, by name."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Variables of the container from Secrets Manager or Parameter Store: ARNs by name."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[\\w-]+:(secretsmanager|ssm):", arn))])
    error_message = "secrets must be ARNs of Secrets Manager or Parameter Store; the secret itself does not belong here."
  }
}

variable "permissions" {
  description = "IAM statements, with Effect, Action and Resource, for the role of the tasks."
  type        = any
  default     = []
  validation {
    condition     = can([for each in var.permissions : [each.Effect, each.Action, each.Resource]])
    error_message = "permissions must be a list of statements, each with Effect, Action and Resource."
  }
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation puts on its resources."
  type        = map(string)
  default     = {}
}

variable "timeout_in_minutes" {
  description = "How long the stack may take to be made, before it is taken back."
  type        = number
  default     = 30
}
