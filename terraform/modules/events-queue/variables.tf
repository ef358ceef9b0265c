variable "name" {
  description = "The name of the queue and the rule; the dead-letter queue adds -dead-letters."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,51}$", var.name))
    error_message = "name must be letters, digits, - and _, at most 51 of them: a rule has 64, with -dead-letters."
  }
}

variable "tags" {
  description = "Tags of the queues and the rule."
  type        = map(string)
  default     = {}
}
