"""An ECS of tests' own, which keeps RunTask's promises: a token starts its tasks once."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from watchbot.errors import AwsError, Rejected, Unreachable

ACCOUNT = "arn:aws:ecs:us-east-1:123456789012"


async def nothing() -> None:
    """Nothing goes on."""


class FakeEcs:
    """ECS in memory. `before` and `after` are called around each RunTask, and may raise.

    `meanwhile` is what goes on elsewhere before it describes tasks or lists stopped ones;
    `between`, after a RunTask. What it has started is `listed`, or not yet.
    """

    service = "ecs"

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []
        self.deleted = set[str]()  # families whose definitions are gone
        self.room = 1_000_000  # tasks that may still be placed
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.meanwhile: Callable[[], Awaitable[None]] = nothing
        self.between: Callable[[], Awaitable[None]] = nothing
        self.listed = True
        self._answers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    async def call(self, operation: str, **given: Any) -> Any:
        if operation == "describe_tasks" or given.get("desiredStatus") == "STOPPED":
            await self.meanwhile()
        answer = getattr(self, f"_{operation}")(**given)
        if operation == "run_task":
            await self.between()
        return answer

    def _run_task(self, **given: Any) -> dict[str, Any]:
        self.before()
        self.calls.append(given)
        token = given["clientToken"]
        if token not in self._answers:
            self._answers[token] = (given, self._place(**given))
        first, answer = self._answers[token]
        if first != given:
            raise Rejected(service="ECS", operation="run_task", code="ConflictException", text="x")
        self.after()
        return answer

    def _place(self, *, count: int, taskDefinition: str, **given: Any) -> dict[str, Any]:  # noqa: N803 - names of the API
        placed = min(count, self.room)
        self.room -= placed
        made = [self.add(family=taskDefinition, **given) for _ in range(placed)]
        failures = [{"reason": "RESOURCE:MEMORY"} for _ in range(count - placed)]
        return {"tasks": made, "failures": failures}

    def add(self, *, family: str, startedBy: str = "", **more: Any) -> dict[str, Any]:  # noqa: N803 - names of the API
        arn = f"{ACCOUNT}:task/default/{next(self._numbers)}"
        self.tasks[arn] = {
            "taskArn": arn,
            "startedBy": startedBy,
            "family": family,
            "taskDefinitionArn": f"{ACCOUNT}:task-definition/{family}:1",
            "lastStatus": "RUNNING",
            "desiredStatus": "RUNNING",
            "overrides": more.get("overrides", {}),
            "containers": [{"name": "main"}],
        }
        return self.tasks[arn]

    def end(self, arn: str, exit_code: int = 0) -> None:
        """A task stops by itself."""
        self.tasks[arn] |= {
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "startedAt": datetime(2026, 11, 21, 12, tzinfo=UTC),
            "stoppedAt": datetime(2026, 11, 21, 12, 0, 42, tzinfo=UTC),
            "containers": [{"name": "main", "exitCode": exit_code}],
        }

    def _list_tasks(self, *, family: str, desiredStatus: str, cluster: str) -> dict[str, Any]:  # noqa: N803 - names of the API
        assert cluster
        arns = [
            arn
            for arn, task in self.tasks.items()
            if task["family"] == family and task["desiredStatus"] == desiredStatus
        ]
        return {"taskArns": arns if self.listed else []}

    def _describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        assert cluster
        assert len(tasks) <= 100
        return {"tasks": [self.tasks[arn] for arn in tasks if arn in self.tasks]}

    def _stop_task(self, *, cluster: str, task: str, reason: str) -> dict[str, Any]:
        assert cluster
        assert reason
        self.tasks[task] |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
        return {}

    def _describe_task_definition(self, *, taskDefinition: str) -> dict[str, Any]:  # noqa: N803 - names of the API
        if taskDefinition.rpartition("/")[2].partition(":")[0] in self.deleted:
            text = "Unable to describe task definition."
            raise Rejected(service="ECS", operation="d", code="ClientException", text=text)
        containers = [{"name": "main", "essential": True}]
        return {"taskDefinition": {"containerDefinitions": containers}}


def no_answer() -> AwsError:
    """The error for a lost reply."""
    return Unreachable(service="ECS", operation="run_task", code="Timeout", text="no answer")
