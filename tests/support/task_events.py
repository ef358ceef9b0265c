"""Events of ECS about a task, as they come."""

import json
from typing import Any

from watchbot.record.event import TaskState, read


def an_event(version: int = 1, status: str = "RUNNING", **more: Any) -> str:
    detail = {
        "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/blue/1",
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/blue",
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:3",
        "lastStatus": status,
        "version": version,
        "containers": [{"name": "main", "lastStatus": status}],
        **more,
    }
    envelope = {"detail-type": "ECS Task State Change", "id": f"e{version}", "detail": detail}
    return json.dumps({**envelope, "time": "2026-11-21T03:00:00Z"})


def states(*bodies: str) -> list[TaskState]:
    return [state for body in bodies if isinstance(state := read(body, "m"), TaskState)]
