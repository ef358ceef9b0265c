"""A scheduler with an ECS, an SQS and an SNS that a test can read and break."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.support.fake_ecs import FakeEcs, no_answer
from tests.support.house import House, a_house
from watchbot.aws import Client
from watchbot.errors import AwsError, Rejected
from watchbot.schedule.job.job import Job
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.start.outcomes import Outcomes
from watchbot.schedule.start.starter import Attempt, Later, Means
from watchbot.schedule.store.run import LeasedRun, RunEnd

TOPIC = "arn:aws:sns:us-east-1:123456789012:failures"


class FakeSqs:
    """A queue with a given number of messages."""

    service = "sqs"

    def __init__(self) -> None:
        self.waiting = 0
        self.sent: list[dict[str, Any]] = []

    async def call(self, operation: str, **given: Any) -> Any:
        if operation == "get_queue_url":
            return {"QueueUrl": f"https://queues/{given['QueueName']}"}
        if operation == "get_queue_attributes":
            return {"Attributes": {"ApproximateNumberOfMessages": str(self.waiting)}}
        self.sent += given["Entries"]
        return {"Successful": [{"Id": each["Id"], "MessageId": "m"} for each in given["Entries"]]}


class FakeSns:
    """A topic; it raises `error`, if there is one."""

    service = "sns"

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.error: AwsError | None = None

    async def call(self, operation: str, **given: Any) -> Any:
        assert operation == "publish_batch"
        entries = given["PublishBatchRequestEntries"]
        self.published += [{"TopicArn": given["TopicArn"], **entry} for entry in entries]
        if self.error:
            raise self.error
        return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in entries]}


class World(House):
    """A house with an ECS, an SQS and an SNS."""

    def __init__(self, house: House) -> None:
        super().__init__(house.store, house.clock, house.rows)
        self.ecs, self.sqs, self.sns = FakeEcs(), FakeSqs(), FakeSns()

    async def near(self, service: str, place: str = "") -> Client:
        return cast(Client, {"ecs": self.ecs, "sqs": self.sqs, "sns": self.sns}[service])

    def means(self) -> Means:
        return Means(clients=cast(Clients, self), ledger=self.one)

    def outcomes(self) -> Outcomes:
        """The outcomes of tasks for one replica."""
        return Outcomes(self.store, self.means(), topic=TOPIC)

    async def attempt(self) -> list[RunEnd | Later]:
        """The result of an attempt at each due run."""
        results = []
        for run in await self.take(self.one, most=100):
            attempt = Attempt(run, self.clock.moment, self.means())
            result = await attempt.make()
            results.append(result)
            await self.note(attempt.run, result)
        return results

    async def note(self, run: LeasedRun, result: RunEnd | Later) -> None:
        if isinstance(result, Later):
            await self.one.put_off(run, result.seconds, result.reason, result.failed)
        else:
            await self.one.finish(run, result)

    async def fire(self) -> list[RunEnd | Later]:
        """A minute goes by; what is due then is attempted."""
        self.clock.on(minutes=1)
        await self.plan()
        return await self.attempt()

    async def row(self) -> dict[str, Any]:
        (row,) = await self.rows.runs()
        return row


@asynccontextmanager
async def a_world(place: str, *jobs: Job) -> AsyncIterator[World]:
    async with a_house(place) as house:
        world = World(house)
        for job in jobs:
            await world.jobs.add(job)
        yield world


def counts(world: World) -> list[int]:
    return [call["count"] for call in world.ecs.calls]


def for_good() -> Rejected:
    """A refusal that no waiting mends."""
    text = "TaskDefinition is inactive"
    return Rejected(service="ECS", operation="run_task", code="ClientException", text=text)


def breaking(times: int, error: Exception | None = None) -> Any:
    """Raises so often, from the call of that number on, or once at that call."""
    calls = 0

    def broken() -> None:
        nonlocal calls
        calls += 1
        if error and calls <= times:
            raise error
        if not error and calls == times:
            raise no_answer()

    return broken
