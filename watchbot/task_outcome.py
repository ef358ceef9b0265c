"""Computes the outcome of a stopped task from its stop code and its containers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SUCCESS, FAILED, UNKNOWN = "success", "failed", "unknown"
BY_CONTAINERS = {"EssentialContainerExited"}  # the containers' exit codes decide
BY_STOP_CODE = {
    "TaskFailedToStart": "failed_to_start",
    "UserInitiated": "stopped",
    "ServiceSchedulerInitiated": "stopped",
    # AWS took the machine away: exit code 0 after AWS's SIGTERM does not mean success.
    "SpotInterruption": "interrupted",
    "TerminationNotice": "interrupted",
    "InfrastructureHealth": "interrupted",
}
KILLED = {137, 143}  # by SIGKILL or SIGTERM: ECS sends these when another container has ended

FAILURES = ("failed", "failed_to_start", "interrupted")  # outcomes that count as failures


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedContainer:
    """A container of a stopped task.

    `essential` is None when the task definition is unknown. `stopped_in` is the lowest version of
    the task in which the container was stopped.
    """

    exit_code: int | None
    essential: bool | None = None
    stopped_in: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """The outcome of a task, its reason, and how many seconds it ran, where that is known."""

    outcome: str
    reason: str | None = None
    containers: Sequence[Mapping[str, Any]] = ()
    duration_s: float | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the container that failed, else of any; None if there is none."""
        codes = [code for each in self.containers if (code := each["exitCode"]) is not None]
        return next(filter(None, codes), codes[0] if codes else None)


def container_end(name: str, exit_code: int | None, reason: str | None) -> dict[str, Any]:
    """A container that ended, in the API's form."""
    return {"name": name, "exitCode": exit_code, "reason": reason}


def outcome_of(stop_code: str | None, containers: Sequence[EndedContainer]) -> str:
    """`success`, `failed`, `failed_to_start`, `interrupted`, `stopped`, or `unknown`.

    Only essential containers count, and only those that stopped first: ECS then kills the others.
    Without a known definition all containers count, and must agree.
    """
    if stop_code in BY_STOP_CODE:
        return BY_STOP_CODE[stop_code]
    guessed = any(container.essential is None for container in containers)
    counted = [container for container in containers if container.essential is not False]
    if not guessed and counted:
        first = min(container.stopped_in for container in counted)
        counted = [container for container in counted if container.stopped_in == first]
    codes = {container.exit_code for container in counted}
    if not codes or None in codes:
        return UNKNOWN
    if len(counted) > 1 and guessed and 0 in codes and codes != {0}:
        return UNKNOWN
    # Several stopped in one version: a killed container did not stop first, unless all were killed.
    return SUCCESS if (codes - KILLED or codes) == {0} else FAILED
