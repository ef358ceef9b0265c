from collections.abc import Callable

import anyio
import pytest

from tests.support.builders import a_jumping_world
from watchbot.errors import AwsError, Denied, Throttled
from watchbot.sqs.intake import Intake, IntakeLimits
from watchbot.sqs.leases import Leases
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve
from watchbot.world import REAL, World

FACTS = {"service": "SQS", "operation": "receive_message", "code": "x", "text": "y"}


class CountingQueue(MemoryQueue):
    """A queue that knows what was asked of it, and may fail first."""

    def __init__(self, *faults: AwsError) -> None:
        super().__init__()
        self.asked: list[int] = []
        self._faults = list(faults)

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        self.asked.append(count)
        if self._faults:
            raise self._faults.pop(0)
        return await super().receive(count, wait_s, visibility_s)


class Consumer:
    """An intake, and what it delivered."""

    def __init__(
        self, queue: MemoryQueue, slots: int, *, once: bool = False, world: World = REAL
    ) -> None:
        self.got: list[Message] = []
        self.most = 0
        valve = Valve(world)
        self.source = Source(queue, Leases(queue, 30), valve)
        limits = IntakeLimits(slots=slots, wait_s=1, visibility_s=30, once=once)
        self.intake = Intake([self.source], self._take, limits, valve=valve)

    def _take(self, source: Source, messages: list[Message]) -> None:
        self.got += messages
        self.most = max(self.most, self.intake.in_hand)


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.001)  # a condition announces nothing


async def test_no_more_is_asked_for_than_slots_are_free() -> None:
    queue = CountingQueue()
    for number in range(20):
        queue.send(str(number))
    consumer = Consumer(queue, slots=4)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consumer.intake.run)
        await until(lambda: len(consumer.got) == 4)
        await anyio.sleep(0.02)  # a fifth message would have come by then
        held = len(consumer.got)
        consumer.intake.give_back(2)
        await until(lambda: len(consumer.got) == 6)
        tasks.cancel_scope.cancel()

    assert held == 4
    assert consumer.most <= 4
    assert max(queue.asked) <= 4


async def test_polls_multiply_while_full_batches_come() -> None:
    queue = CountingQueue()
    for number in range(100):
        queue.send(str(number))
    consumer = Consumer(queue, slots=60)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consumer.intake.run)
        await until(lambda: len(consumer.got) == 60)
        tasks.cancel_scope.cancel()

    assert queue.asked == [10] * 6


async def test_stop_waits_for_the_poll_under_way() -> None:
    queue = CountingQueue()
    consumer = Consumer(queue, slots=1)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consumer.intake.run)
            await until(lambda: queue.asked)
            consumer.intake.stop()
            queue.send("late")

    assert [message.body for message in consumer.got] == ["late"]


@pytest.mark.jumping
async def test_passing_fault_is_trouble_until_the_next_answer() -> None:
    queue = CountingQueue(Throttled(**FACTS))
    queue.send("a")
    consumer = Consumer(queue, slots=1, world=a_jumping_world())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consumer.intake.run)
        await until(lambda: consumer.got)
        tasks.cancel_scope.cancel()

    assert consumer.source.trouble is None
    assert len(queue.asked) >= 2


async def test_refusal_at_the_first_try_is_final() -> None:
    consumer = Consumer(CountingQueue(Denied(**FACTS)), slots=1)

    with pytest.raises(ExceptionGroup) as caught:
        await consumer.intake.run()

    assert caught.group_contains(Denied)


async def test_once_takes_one_message() -> None:
    queue = CountingQueue()
    queue.send("a")
    queue.send("b")
    consumer = Consumer(queue, slots=1, once=True)

    with anyio.fail_after(5):
        await consumer.intake.run()

    assert len(consumer.got) == 1
