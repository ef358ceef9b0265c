# Made by `make docs`.
locals {
  values = {
    Image               = var.image == null ? null : tostring(var.image)
    Cpu                 = var.cpu == null ? null : tostring(var.cpu)
    Memory              = var.memory == null ? null : tostring(var.memory)
    LogRetentionDays    = var.log_retention_days == null ? null : tostring(var.log_retention_days)
    Command             = var.command == null ? null : tostring(var.command)
    MaxSize             = var.max_size == null ? null : tostring(var.max_size)
    MinSize             = var.min_size == null ? null : tostring(var.min_size)
    Concurrency         = var.concurrency == null ? null : tostring(var.concurrency)
    VisibilityTimeout   = var.visibility_timeout == null ? null : tostring(var.visibility_timeout)
    MaxJobDuration      = var.max_job_duration == null ? null : tostring(var.max_job_duration)
    DeadLetterThreshold = var.dead_letter_threshold == null ? null : tostring(var.dead_letter_threshold)
    Subnets             = var.subnets == null ? null : join(",", var.subnets)
    PublicIp            = var.public_ip == null ? null : tostring(var.public_ip)
    BatchSize           = var.batch_size == null ? null : tostring(var.batch_size)
    BatchWindow         = var.batch_window == null ? null : tostring(var.batch_window)
    RecycleAfter        = var.recycle_after == null ? null : tostring(var.recycle_after)
    RecycleMemory       = var.recycle_memory == null ? null : tostring(var.recycle_memory)
    Handler             = var.handler == null ? null : tostring(var.handler)
    Cluster             = var.cluster == null ? null : tostring(var.cluster)
  }
}
