"""Translates the option names of ecs-watchbot's templates into ours."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from watchbot.errors import SettingError
from watchbot.settings.template import TemplateSettings

_RENAMED = {
    "reservation": "cpu, memory and soft_memory",
    "hardMemory": "memory",
    "alarmThreshold": "alarm_queue_size",
    "alarmPeriods": "alarm_queue_periods",
    "errorThreshold": "alarm_worker_errors",
    "deadletterThreshold": "dead_letter_threshold",
    "deadletterAlarm": "dead_letter_alarm",
    "messageTimeout": "visibility_timeout",
    "watchers": "max_size",
    "workers": "concurrency",
    "fargateSubnets": "subnets",
    "fargateSecurityGroups": "security_groups",
    "fargatePublicIp": "public_ip",
    "placementStrategy": "placement_strategies",
    "capacityProviders": "capacity",
    "capacityProviderStrategy": "capacity",
    # Properties of the construct in version 10.
    "serviceName": "service",
    "memoryLimitMiB": "memory",
    "memoryReservationMiB": "soft_memory",
    "ephemeralStorageGiB": "ephemeral_storage_gib",
    "maxScalingCapacity": "max_size",
    "minScalingCapacity": "min_size",
    "runtimePlatform": "architecture",
    "environment": "env",
    "logGroupRetentionDays": "log_retention_days",
    "retentionPeriod": "message_retention",
    "mountPoints": "mounts",
    "volumes": "mounts",
    "readonlyRootFilesystem": "writable_filesystem (the opposite)",
    "reduceModeConfiguration": "reduce",
    "alarms": "notification_topic (the action) and alarm_... (the thresholds)",
}
_GONE = {
    "watchbotVersion": "the watcher is in your image",
    "backoff": "returned messages always wait",
    "debugLogs": "log with --log-bodies instead, a variable of `env`",
    "failedPlacementAlarmPeriods": "ECS places tasks, and tries again by itself",
    "logAggregationFunction": "subscribe it to the log group in a template of your own",
    "deploymentEnvironment": "name the cluster and the subnets instead",
    "logGroupName": 'CloudFormation names the log group; .ref["log_group"] is it',
    "scalingSteps": "tasks follow the backlog, from min_size to max_size",
    "containerName": "the container is called as the service is",
    "readCapacityUnits": "the table is paid by the request",
    "writeCapacityUnits": "the table is paid by the request",
}


def named(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options by our names; takes camelCase for snake_case.

    Raises `SettingError` for an option that is renamed, removed, misspelt or given twice.
    """
    found: dict[str, Any] = {}
    for given, value in options.items():
        name = snake(given)
        if name not in TemplateSettings.model_fields and (advice := _advice(given, name)):
            raise SettingError(given, advice)
        if name in found:
            raise SettingError(given, f"is also given as {name}; leave out one of them")
        found[name] = value
    return found


def _advice(given: str, name: str) -> str | None:
    old = {snake(each): each for each in (*_RENAMED, *_GONE)}.get(name, given)
    if old in _RENAMED:
        return f"is called {_RENAMED[old]} here"
    if old in _GONE:
        return f"is gone: {_GONE[old]}"
    near = difflib.get_close_matches(name, TemplateSettings.model_fields, 1, 0.8)
    return f"is no option; did you mean {near[0]}?" if near else None


def snake(name: str) -> str:
    """`maxSize` as `max_size`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
