"""ECS of the simulation: slow, throttled, late with its lists, and without room at times."""

import asyncio
from random import Random
from typing import Any

from tests.simulation.jumping import elapse
from tests.simulation.schedule.laws import Laws
from tests.support.fake_ecs import FakeEcs, no_answer
from watchbot.errors import Throttled

TIMEOUT_S = 5


class SimulatedEcs(FakeEcs):
    """One ECS, which all replicas call. It tells the laws of each task that starts or ends."""

    def __init__(self, laws: Laws, chance: Random, faults: dict[str, float]) -> None:
        super().__init__()
        self._laws, self._chance, self._faults = laws, chance, faults
        self._known_at: dict[str, float] = {}
        self.away = False

    def of_replica(self, name: str) -> "Line":
        return Line(self, name)

    async def asked(self, who: str, operation: str, given: dict[str, Any]) -> Any:
        """The answer to a call, or one of the errors that a client knows."""
        if operation == "run_task":
            self._laws.asked(who, given)
        if self.away:
            await elapse(0.2)
            raise no_answer()
        if self._happens("throttled"):
            await elapse(self._latency())
            raise Throttled(service="ECS", operation=operation, code="Throttling", text="rate")
        return await self._carried(operation, given)

    async def _carried(self, operation: str, given: dict[str, Any]) -> Any:
        """A request that was sent arrives, though its sender be dead or have given up."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        late = operation == "run_task" and self._happens("late")
        after_s = self._chance.uniform(1, 8) if late else self._latency()
        loop.call_later(after_s, self._arrive, operation, given, answer)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await answer
        except TimeoutError:
            raise no_answer() from None
        if self._happens("lost"):
            raise no_answer()
        if isinstance(found, Exception):
            raise found
        return found

    def _arrive(self, operation: str, given: dict[str, Any], answer: asyncio.Future[Any]) -> None:
        try:
            found = getattr(self, f"_{operation}")(**given)
        except Exception as error:
            found = error
        if not answer.done():
            answer.set_result(found)

    def add(self, *, family: str, startedBy: str = "", **more: Any) -> dict[str, Any]:  # noqa: N803 - names of the API
        task = super().add(family=family, startedBy=startedBy, **more)
        loop = asyncio.get_running_loop()
        self._known_at[task["taskArn"]] = loop.time() + self._chance.uniform(
            0, self._faults.get("unlisted", 0)
        )
        lasts_s = self._laws.task_started(task, len(self.calls))
        loop.call_later(self._chance.uniform(0.1, lasts_s), self._end, task["taskArn"])
        return task

    def _end(self, arn: str) -> None:
        if self.tasks[arn]["lastStatus"] != "STOPPED":
            self.end(arn)
            self._laws.task_ended(self.tasks[arn])

    def _stop_task(self, *, cluster: str, task: str, reason: str) -> dict[str, Any]:
        if self.tasks[task]["lastStatus"] != "STOPPED":
            self._laws.task_ended(self.tasks[task])
        return super()._stop_task(cluster=cluster, task=task, reason=reason)

    def _list_tasks(self, *, family: str, desiredStatus: str, cluster: str) -> dict[str, Any]:  # noqa: N803 - names of the API
        found = super()._list_tasks(family=family, desiredStatus=desiredStatus, cluster=cluster)
        return {"taskArns": [arn for arn in found["taskArns"] if self._is_known(arn)]}

    def _describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        return super()._describe_tasks(
            cluster=cluster, tasks=[arn for arn in tasks if self._is_known(arn)]
        )

    def _is_known(self, arn: str) -> bool:
        return self._known_at.get(arn, 0) <= asyncio.get_running_loop().time()

    def _happens(self, fault: str) -> bool:
        found = self._chance.random() < self._faults.get(fault, 0)
        self._laws.injected += found
        return found

    def _latency(self) -> float:
        return self._chance.uniform(0.01, 0.1 + self._faults.get("slow", 0))


class Line:
    """ECS as one replica reaches it."""

    service = "ecs"

    def __init__(self, ecs: SimulatedEcs, name: str) -> None:
        self._ecs, self._name = ecs, name

    async def call(self, operation: str, **given: Any) -> Any:
        return await self._ecs.asked(self._name, operation, given)
