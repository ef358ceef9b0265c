# Made by `make docs`.

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

variable "subnets" {
  description = "The subnets of tasks; they must reach SQS, SNS, ECR and CloudWatch Logs."
  type        = list(string)
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

variable "database" {
  description = "The ARN of the secret that holds postgresql://USER:PASSWORD@HOST/NAME."
  type        = string
}

variable "security_groups" {
  description = "The security groups of tasks; the database must let them in."
  type        = list(string)
}

variable "cluster" {
  description = "The ECS cluster of tasks, by name or ARN."
  type        = string
}

variable "token" {
  description = "The ARN of the secret that holds the token of the API."
  type        = string
}

variable "port" {
  description = "Serve the API of schedules, or the console, on this port."
  type        = number
  default     = null
  validation {
    condition     = var.port == null ? true : var.port >= 1 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port must be a whole number of 1 to 65535."
  }
}

variable "task_definitions" {
  description = "ARNs that jobs may start, like arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:*."
  type        = list(string)
}

variable "task_roles" {
  description = "The roles of these tasks: ARNs."
  type        = list(string)
}

variable "function_bucket" {
  description = "The bucket with the zip of `make lambda`."
  type        = string
}

variable "function_key" {
  description = "Find the zip in the bucket under this key."
  type        = string
}
