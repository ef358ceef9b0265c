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
  }
}
