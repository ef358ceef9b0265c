"""Tests the parts that `listen` and `record` share: receives, drain, order of the end."""

from collections.abc import Callable, Mapping

import anyio
import pytest
from anyio.abc import TaskGroup

from tests.support.builders import a_jumping_world
from watchbot.errors import Denied
from watchbot.lifecycle import Stop
from watchbot.sqs.consumer import Consumer, Terms, Weighted
from watchbot.sqs.counts import left_in
from watchbot.sqs.lease import Lease
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve

pytestmark = pytest.mark.jumping
DENIED = Denied(service="SQS", operation="receive_message", code="AccessDenied", text="no")


class NotingWork:
    """Keeps what it hears, in order, and the messages that it gets until it is told to let go."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.bodies: list[str] = []
        self.none_awaited = True
        self._workers: TaskGroup | None = None
        self._let_go = anyio.Event()
        self.consumer: Consumer

    def begin(self, workers: TaskGroup) -> None:
        self.heard.append("begin")
        self._workers = workers

    def deliver(self, source: Source, messages: list[Message]) -> None:
        assert self._workers
        self.heard.append("deliver")
        for message in messages:
            self.bodies.append(message.body)
            self._workers.start_soon(self._hold, source.leases.take(message))

    def is_done(self) -> bool:
        self.heard.append("is_done")
        return self.none_awaited

    def lost(self, lease: Lease) -> None:
        self.heard.append("lost")

    def drain(self) -> None:
        self.heard.append("drain")

    def received(self) -> None:
        self.heard.append("received")

    def let_go(self) -> None:
        self.heard.append("let_go")
        self._let_go.set()

    async def _hold(self, lease: Lease) -> None:
        [source] = self.consumer.sources
        leases = source.leases
        if lease.message.body == "held":
            await self._let_go.wait()
            await leases.hide(lease, 0)
        else:
            await leases.delete(lease)
        self.heard.append("settled")
        self.consumer.give_back(1)


def a_consumer(
    queue: MemoryQueue, *, drain_s: float = 30, exit_when_empty: bool = True
) -> tuple[Consumer, NotingWork]:
    work = NotingWork()
    terms = Terms(
        slots=2,
        poll_wait_s=1,
        visibility_s=30,
        drain_s=drain_s,
        give_up_s=300,
        exit_when_empty=exit_when_empty,
    )
    work.consumer = Consumer([Weighted(queue)], work, terms, valve=Valve(a_jumping_world()))
    return work.consumer, work


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.001)  # a condition announces nothing


async def test_consumer_leaves_once_the_queue_is_empty_and_nothing_is_awaited() -> None:
    queue = MemoryQueue(world=a_jumping_world())
    queue.send("a")
    consumer, work = a_consumer(queue)

    with anyio.fail_after(10):
        await consumer.run(Stop())

    assert work.heard == ["begin", "deliver", "settled", "is_done", "received"]
    assert consumer.left_s == float("inf")


async def stopped_in_the_midst(consumer: Consumer, work: NotingWork, signals: int = 1) -> None:
    """Runs the consumer until it has a message, then has it stopped by this number of signals."""
    stop = Stop()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consumer.run, stop)
            await until(lambda: work.bodies)
            for _ in range(signals):
                stop.ask()


async def test_drain_waits_for_what_is_in_hand_until_its_time_is_over() -> None:
    queue = MemoryQueue(world=a_jumping_world())
    queue.send("held")
    consumer, work = a_consumer(queue, drain_s=0.1, exit_when_empty=False)

    await stopped_in_the_midst(consumer, work)

    assert work.heard == ["begin", "deliver", "drain", "received", "let_go", "settled"]
    assert (await queue.facts())["ApproximateNumberOfMessages"] == "1"
    assert consumer.draining
    assert consumer.left_s < 11


async def test_second_signal_ends_the_last_poll_and_the_drain() -> None:
    queue = MemoryQueue(world=a_jumping_world())
    queue.send("held")
    consumer, work = a_consumer(queue, drain_s=3600, exit_when_empty=False)

    await stopped_in_the_midst(consumer, work, signals=2)

    assert work.heard[-2:] == ["let_go", "settled"]


async def test_stop_before_the_first_receive_takes_nothing() -> None:
    queue, stop = MemoryQueue(world=a_jumping_world()), Stop()
    queue.send("a")
    stop.ask()
    consumer, work = a_consumer(queue)

    with anyio.fail_after(10):
        await consumer.run(stop)

    assert work.bodies == []


async def test_refusal_for_good_ends_the_consumer_after_a_drain() -> None:
    class Refusing(MemoryQueue):
        async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
            raise DENIED

    consumer, work = a_consumer(Refusing(world=a_jumping_world()))

    with anyio.fail_after(10), pytest.raises(ExceptionGroup) as caught:
        await consumer.run(Stop())

    assert caught.group_contains(Denied)
    assert "drain" in work.heard


async def test_lease_that_is_lost_is_told() -> None:
    consumer, work = a_consumer(MemoryQueue(world=a_jumping_world()))
    [source] = consumer.sources
    lease = source.leases.take(
        Message(id="m", receipt="none", body="", asked_at=0)  # its time is over long since
    )
    lease.doubtful = False

    lease.expires_at = 0
    source.leases.holds(lease)

    assert work.heard == ["lost"]


async def test_last_line_does_not_wait_for_counts_that_do_not_come() -> None:
    class Silent(MemoryQueue):
        async def facts(self) -> Mapping[str, str]:
            await anyio.sleep_forever()
            return {}

    assert await left_in([Silent()], within_s=0) == {"left": "unknown: no answer in time"}
