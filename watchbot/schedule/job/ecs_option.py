"""Options of a job that RunTask takes as they are, checked by what ECS's own API says of them."""

from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticCustomError

from watchbot.api_model import Misfit, misfits, shapes
from watchbot.schedule.job.names import unknown

SERVICE = "ecs"


def of_request(member: str) -> Callable[[Any], Any]:
    """A check of what RunTask's request has under this name."""
    return _check("RunTaskRequest", member)


def of_container(member: str) -> Callable[[Any], Any]:
    """A check of what the override of a container has under this name."""
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
    told = misfit.text or unknown(misfit.place[-1], misfit.known)
    place = ".".join(misfit.place)
    if misfit.known:
        return f"{place}: {told}".rstrip(".")
    return f"{place} {told}" if place else f"{told[0].upper()}{told[1:]}"
