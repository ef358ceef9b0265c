"""Defines the ECS tasks of a job; checks them when the job is written, as ECS would later."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from watchbot.schedule.job.ecs_option import of_container, of_request
from watchbot.schedule.job.part import JobPart

_Variable = Annotated[str, StringConstraints(min_length=1)]

TAG = "ECS_SCHEDULER_OVERRIDE_TAG"  # ecs-scheduler's mark on its tasks


class Override(JobPart):
    """Overrides of the task definition for one container."""

    container_name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    environment: Annotated[dict[_Variable, str], Field(default_factory=dict)]
    command: Annotated[Any, AfterValidator(of_container("command"))] = None
    cpu: Annotated[Any, AfterValidator(of_container("cpu"))] = None
    memory: Annotated[Any, AfterValidator(of_container("memory"))] = None
    memory_reservation: Annotated[Any, AfterValidator(of_container("memoryReservation"))] = None
    environment_files: Annotated[Any, AfterValidator(of_container("environmentFiles"))] = None
    resource_requirements: Annotated[Any, AfterValidator(of_container("resourceRequirements"))] = (
        None
    )


def _named(value: dict[str, Any]) -> dict[str, Any]:
    # ECS requires a name, although the description of its API does not say so.
    if not all(each.get("name") for each in value.get("containerOverrides", ())):
        raise PydanticCustomError("ecs", "Each of containerOverrides needs a name.")
    return value


def _form(value: Any) -> str:
    return "whole" if isinstance(value, dict) else "listed"


Whole = Annotated[dict[str, Any], AfterValidator(of_request("overrides")), AfterValidator(_named)]
# Either ecs-scheduler's list of containers, or RunTask's own structure.
Overrides = Annotated[
    Annotated[tuple[Override, ...], Tag("listed")] | Annotated[Whole, Tag("whole")],
    Discriminator(_form),
]


class CapacityProvider(JobPart):
    """A capacity provider and its share of the tasks."""

    capacity_provider: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    weight: Annotated[int, Field(ge=0, le=1000)] = 0
    base: Annotated[int, Field(ge=0, le=100_000)] = 0


class AwsVpc(JobPart):
    """The network of tasks with network mode awsvpc."""

    subnets: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    security_groups: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    assign_public_ip: Literal["ENABLED", "DISABLED"] = "DISABLED"


class NetworkConfiguration(JobPart):
    """RunTask's network configuration."""

    awsvpc_configuration: AwsVpc


def task_overrides(
    overrides: Sequence[Override] | Mapping[str, Any],
    job_id: str,
    told: Mapping[str, str],
    containers: Sequence[str],
) -> dict[str, Any]:
    """The overrides in RunTask's form; adds `told` to the environment of all `containers`.

    Keeps variables that the job sets itself. Containers from ecs-scheduler's list get its mark.
    """
    whole: dict[str, Any] = dict(overrides) if isinstance(overrides, Mapping) else {}
    listed = whole.get("containerOverrides", ()) if whole else _entries(overrides, job_id)
    entries = {each["name"]: each for each in listed}
    for name in dict.fromkeys([*entries, *containers]) if told else ():
        entry = entries.setdefault(name, {"name": name})
        given = entry.get("environment", [])
        own = {variable["name"] for variable in given}
        more = [{"name": key, "value": text} for key, text in told.items() if key not in own]
        entries[name] = {**entry, "environment": [*given, *more]}
    return {**whole, "containerOverrides": list(entries.values())} if entries else whole


def _entries(overrides: Any, job_id: str) -> Iterator[dict[str, Any]]:
    for override in overrides:
        fields = override.model_dump(by_alias=True, exclude_none=True)
        variables = {**fields.pop("environment"), TAG: job_id}
        yield {
            "name": fields.pop("containerName"),
            "environment": [{"name": name, "value": text} for name, text in variables.items()],
            **fields,
        }


def overrides_bytes(
    overrides: Sequence[Override] | Mapping[str, Any], job_id: str, told: Mapping[str, str]
) -> int:
    """The length of the overrides as JSON; ECS takes 8192 characters."""
    return len(json.dumps(task_overrides(overrides, job_id, told, ())))
