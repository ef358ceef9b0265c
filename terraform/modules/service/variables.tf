# Made by `make docs`.

variable "variant" {
  description = "The kind of stack: fargate, fargate-fifo, fargate-queues, fargate-spot, fargate-warm, fargate-lambda, ec2."
  type        = string
  default     = "fargate"
  validation {
    condition     = contains(["fargate", "fargate-fifo", "fargate-queues", "fargate-spot", "fargate-warm", "fargate-lambda", "ec2"], var.variant)
    error_message = "variant must be one of fargate, fargate-fifo, fargate-queues, fargate-spot, fargate-warm, fargate-lambda, ec2."
  }
}

variable "image" {
  description = "Run this image; it contains watchbot."
  type        = string
}

variable "cpu" {
  description = "Give each task this many CPU units; 1024 are one virtual CPU."
  type        = number
  default     = null
  validation {
    condition     = var.cpu == null ? true : var.cpu >= 1 && var.cpu <= 16384 && floor(var.cpu) == var.cpu
    error_message = "cpu must be a whole number of 1 to 16384."
  }
}

variable "memory" {
  description = "Give each container this much memory; ECS ends one that takes more."
  type        = number
  default     = null
  validation {
    condition     = var.memory == null ? true : var.memory >= 6 && var.memory <= 122880 && floor(var.memory) == var.memory
    error_message = "memory must be a whole number of 6 to 122880."
  }
}

variable "log_retention_days" {
  description = "Keep logs this long."
  type        = number
  default     = null
  validation {
    condition     = var.log_retention_days == null ? true : contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "command" {
  description = "The command for each message; a shell runs it."
  type        = string
  default     = null
}

variable "max_size" {
  description = "Run at most N tasks."
  type        = number
  default     = null
  validation {
    condition     = var.max_size == null ? true : var.max_size >= 1 && var.max_size <= 5000 && floor(var.max_size) == var.max_size
    error_message = "max_size must be a whole number of 1 to 5000."
  }
}

variable "min_size" {
  description = "Keep N tasks also when the queue is empty."
  type        = number
  default     = null
  validation {
    condition     = var.min_size == null ? true : var.min_size >= 0 && var.min_size <= 5000 && floor(var.min_size) == var.min_size
    error_message = "min_size must be a whole number of 0 to 5000."
  }
}

variable "concurrency" {
  description = "Run at most N workers at once in each task."
  type        = number
  default     = null
  validation {
    condition     = var.concurrency == null ? true : var.concurrency >= 1 && var.concurrency <= 10000 && floor(var.concurrency) == var.concurrency
    error_message = "concurrency must be a whole number of 1 to 10000."
  }
}

variable "visibility_timeout" {
  description = "Hide a received message this long; a heartbeat renews it."
  type        = number
  default     = null
  validation {
    condition     = var.visibility_timeout == null ? true : var.visibility_timeout >= 1 && var.visibility_timeout <= 43200 && floor(var.visibility_timeout) == var.visibility_timeout
    error_message = "visibility_timeout must be a whole number of 1 to 43200."
  }
}

variable "max_job_duration" {
  description = "End a worker that runs longer; 0: after SQS's 12 hours."
  type        = number
  default     = null
  validation {
    condition     = var.max_job_duration == null ? true : var.max_job_duration >= 0 && var.max_job_duration <= 43200 && floor(var.max_job_duration) == var.max_job_duration
    error_message = "max_job_duration must be a whole number of 0 to 43200."
  }
}

variable "dead_letter_threshold" {
  description = "Move a message to the dead-letter queue after N receives."
  type        = number
  default     = null
  validation {
    condition     = var.dead_letter_threshold == null ? true : var.dead_letter_threshold >= 1 && var.dead_letter_threshold <= 1000 && floor(var.dead_letter_threshold) == var.dead_letter_threshold
    error_message = "dead_letter_threshold must be a whole number of 1 to 1000."
  }
}

variable "subnets" {
  description = "The subnets of tasks; they must reach SQS, SNS, ECR and CloudWatch Logs."
  type        = list(string)
  default     = null
}

variable "public_ip" {
  description = "Give tasks public addresses; a subnet without NAT needs them."
  type        = string
  default     = null
  validation {
    condition     = var.public_ip == null ? true : contains(["ENABLED", "DISABLED"], var.public_ip)
    error_message = "public_ip must be one of ENABLED, DISABLED."
  }
}

variable "batch_size" {
  description = "Give a run up to N messages."
  type        = number
  default     = null
  validation {
    condition     = var.batch_size == null ? true : var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number of 1 to 10000."
  }
}

variable "batch_window" {
  description = "Wait at most this long for a batch to be full."
  type        = number
  default     = null
  validation {
    condition     = var.batch_window == null ? true : var.batch_window >= 0 && var.batch_window <= 300 && floor(var.batch_window) == var.batch_window
    error_message = "batch_window must be a whole number of 0 to 300."
  }
}

variable "recycle_after" {
  description = "Replace a worker that stays after N runs; 0: never."
  type        = number
  default     = null
  validation {
    condition     = var.recycle_after == null ? true : var.recycle_after >= 0 && var.recycle_after <= 1000000000 && floor(var.recycle_after) == var.recycle_after
    error_message = "recycle_after must be a whole number of 0 to 1000000000."
  }
}

variable "recycle_memory" {
  description = "Replace a worker that stays and holds more memory; 0: never."
  type        = number
  default     = null
  validation {
    condition     = var.recycle_memory == null ? true : var.recycle_memory >= 0 && var.recycle_memory <= 122880 && floor(var.recycle_memory) == var.recycle_memory
    error_message = "recycle_memory must be a whole number of 0 to 122880."
  }
}

variable "handler" {
  description = "The function, as its image names it: app.handler."
  type        = string
  default     = null
}

variable "cluster" {
  description = "The ECS cluster of tasks, by name or ARN."
  type        = string
  default     = null
}
