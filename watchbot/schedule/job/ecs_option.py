"""Checks options of a job that go unchanged to RunTask against ECS's description of its API."""

from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticCustomError

from watchbot.api_model import Misfit, misfits, shapes, with_types
from watchbot.schedule.job.names import unknown

SERVICE = "ecs"


def load_model() -> None:
    """Loads ECS's description of its API, once in a process; this takes about 0.2 s of CPU."""
    shapes(SERVICE)


def typed(member: str, value: Any) -> Any:
    """`value` with texts converted to numbers and booleans where RunTask wants these.

    CloudFormation sends every number and boolean as a text. Leaves other values unchanged.
    """
    found = shapes(SERVICE)["RunTaskRequest"]["members"].get(member)
    if found is None:
        return value
    if member == "overrides" and isinstance(value, list):  # ecs-scheduler's list of containers
        return [with_types(SERVICE, "ContainerOverride", each) for each in value]
    return with_types(SERVICE, found["shape"], value)


def of_request(member: str) -> Callable[[Any], Any]:
    """A check for the member `member` of RunTask's request."""
    return _check("RunTaskRequest", member)


def of_container(member: str) -> Callable[[Any], Any]:
    """A check for the member `member` of a container override."""
    return _check("ContainerOverride", member)


def _check(within: str, member: str) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        shape = shapes(SERVICE)[within]["members"][member]["shape"]
        wrong = [_sentence(each) for each in misfits(SERVICE, shape, value)]
        if wrong:
            raise PydanticCustomError("ecs", "{text}", {"text": "; ".join(wrong)})
        return value

    return checked


def _sentence(misfit: Misfit) -> str:
    told = misfit.text or unknown(misfit.path[-1], misfit.known)
    path = ".".join(misfit.path)
    if misfit.known:
        return f"{path}: {told}".rstrip(".")
    return f"{path} {told}" if path else f"{told[0].upper()}{told[1:]}"
