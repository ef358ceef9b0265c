"""Reads the state of a container instance from its event.

Its fields are those of
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchbot.record.event import MAX_KEY_CHARS, MAX_WHOLE, OtherEvent

INSTANCE_EVENT = "ECS Container Instance State Change"

COLUMNS = {  # of ecs_container_instance, with their types in PostgreSQL
    "container_instance_arn": "text",
    "cluster": "text",
    "ec2_instance_id": "text",
    "status": "text",
    "agent_connected": "boolean",
    "running_tasks": "bigint",
    "pending_tasks": "bigint",
    "registered_cpu": "bigint",
    "remaining_cpu": "bigint",
    "registered_memory": "bigint",
    "remaining_memory": "bigint",
    "version": "bigint",
    "event_time": "timestamptz",
}
NEWER = "excluded.version >= ecs_container_instance.version"


def newest(events: Iterable[OtherEvent]) -> Sequence[Mapping[str, Any]]:
    """The newest state of each container instance among these events, in the order of the keys."""
    rows = [row for event in events if (row := _row(event.row)) is not None]
    ordered = sorted(rows, key=lambda row: (row["container_instance_arn"], row["version"]))
    return list({row["container_instance_arn"]: row for row in ordered}.values())


def _row(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The columns; None for another kind of event, and for one without an ARN."""
    detail = event["event"].get("detail")
    if event["detail_type"] != INSTANCE_EVENT or not isinstance(detail, dict):
        return None
    arn = _text(detail, "containerInstanceArn")
    if not arn or len(arn) > MAX_KEY_CHARS:
        return None
    registered, remaining = (
        _amounts(detail.get(name)) for name in ("registeredResources", "remainingResources")
    )
    connected = detail.get("agentConnected")
    return {
        "container_instance_arn": arn,
        "cluster": (_text(detail, "clusterArn") or "").rpartition("/")[2] or None,
        "ec2_instance_id": _text(detail, "ec2InstanceId"),
        "status": _text(detail, "status"),
        "agent_connected": connected if isinstance(connected, bool) else None,
        "running_tasks": _whole(detail.get("runningTasksCount")),
        "pending_tasks": _whole(detail.get("pendingTasksCount")),
        "registered_cpu": registered.get("CPU"),
        "remaining_cpu": remaining.get("CPU"),
        "registered_memory": registered.get("MEMORY"),
        "remaining_memory": remaining.get("MEMORY"),
        "version": _whole(detail.get("version")) or 0,
        "event_time": event["event_time"],
    }


def _amounts(resources: Any) -> dict[str, int | None]:
    """The whole amounts of resources, by name: units of CPU, MiB of memory."""
    listed = resources if isinstance(resources, list) else []
    return {
        str(each.get("name")): _whole(each.get("integerValue"))
        for each in listed
        if isinstance(each, dict)
    }


def _text(detail: Mapping[str, Any], key: str) -> str | None:
    value = detail.get(key)
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE
    return value if whole else None
