"""The properties of ecs-watchbot 10's FargateWatchbot whose values mean the same here."""

OLD_NAMES = {
    "service_name": "service",
    "memory_limit_mib": "memory",
    "memory_reservation_mib": "soft_memory",
    "max_scaling_capacity": "max_size",
    "min_scaling_capacity": "min_size",
    "environment": "env",
    "log_group_retention_days": "log_retention_days",
    "retention_period": "message_retention",
}
