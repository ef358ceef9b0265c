"""How ECS tasks are described in a job, checked as ECS would, when the job is written."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from watchbot.schedule.part import Part

_Variable = Annotated[str, StringConstraints(min_length=1)]

TAG = "ECS_SCHEDULER_OVERRIDE_TAG"  # ecs-scheduler's mark, by which its tasks are known


class Override(Part):
    """What one container gets in its environment."""

    container_name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    environment: Annotated[dict[_Variable, str], Field(default_factory=dict)]


class CapacityProvider(Part):
    """Where a share of the tasks runs."""

    capacity_provider: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    weight: Annotated[int, Field(ge=0, le=1000)] = 0
    base: Annotated[int, Field(ge=0, le=100_000)] = 0


class AwsVpc(Part):
    """The network that tasks of mode awsvpc are in."""

    subnets: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    security_groups: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    assign_public_ip: Literal["ENABLED", "DISABLED"] = "DISABLED"


class NetworkConfiguration(Part):
    """As RunTask has it."""

    awsvpc_configuration: AwsVpc


def container_overrides(overrides: Sequence[Override], job_id: str) -> dict[str, Any]:
    """The overrides as RunTask takes them, with ecs-scheduler's mark."""
    return {
        "containerOverrides": [
            {
                "name": override.container_name,
                "environment": [
                    *(
                        {"name": name, "value": value}
                        for name, value in override.environment.items()
                    ),
                    {"name": TAG, "value": job_id},
                ],
            }
            for override in overrides
        ]
    }


def overrides_bytes(overrides: Sequence[Override]) -> int:
    """How long they are as JSON, of which ECS takes 8192 characters."""
    return len(json.dumps(container_overrides(overrides, "")))
