# Made by `make docs`.
locals {
  values = {
    Image            = var.image == null ? null : tostring(var.image)
    Cpu              = var.cpu == null ? null : tostring(var.cpu)
    Memory           = var.memory == null ? null : tostring(var.memory)
    LogRetentionDays = var.log_retention_days == null ? null : tostring(var.log_retention_days)
    Subnets          = var.subnets == null ? null : join(",", var.subnets)
    PublicIp         = var.public_ip == null ? null : tostring(var.public_ip)
    Database         = var.database == null ? null : tostring(var.database)
    SecurityGroups   = var.security_groups == null ? null : join(",", var.security_groups)
    Cluster          = var.cluster == null ? null : tostring(var.cluster)
    Token            = var.token == null ? null : tostring(var.token)
    Port             = var.port == null ? null : tostring(var.port)
    TaskDefinitions  = var.task_definitions == null ? null : join(",", var.task_definitions)
    TaskRoles        = var.task_roles == null ? null : join(",", var.task_roles)
    FunctionBucket   = var.function_bucket == null ? null : tostring(var.function_bucket)
    FunctionKey      = var.function_key == null ? null : tostring(var.function_key)
  }
}
