"""What a watcher promises: the real one, on a queue in memory, with a runner that starts nothing.

Read the names of the tests: they are its specification.
"""

from collections.abc import Sequence
from typing import ClassVar

import anyio
import pytest

from tests.support.builders import Clock, a_jumping_world, a_world
from tests.support.destination import FakeDestination
from tests.support.watching import (
    FakeRunner,
    Quick,
    Told,
    a_queue,
    a_watcher,
    left,
    some_settings,
    until,
    worked_off,
)
from watchbot.lifecycle import Stop
from watchbot.listen.closing import WENT_BACK
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.report import Report, Verdict
from watchbot.listen.runner import Job
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    REJECTED,
    RELEASED,
    RETURNED,
    Outcome,
)
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

# What becomes of a message.


async def test_message_whose_run_completes_is_deleted() -> None:
    queue, runner, told = a_queue("a"), FakeRunner(), Told()

    await worked_off(a_watcher(some_settings(), queue, runner, [told]))

    assert runner.ran == ["a"]
    assert told.outcomes == [("a", COMPLETED)]
    assert await left(queue) == (0, 0)


async def test_message_that_is_rejected_is_deleted() -> None:
    queue, told = a_queue("a"), Told()

    await worked_off(a_watcher(some_settings(), queue, FakeRunner({"a": [3]}), [told]))

    assert told.outcomes == [("a", REJECTED)]
    assert await left(queue) == (0, 0)


@pytest.mark.parametrize(("code", "outcome"), [(1, FAILED), (4, RETURNED)])
async def test_message_that_is_not_done_waits_and_comes_back(code: int, outcome: Outcome) -> None:
    queue, runner, told = a_queue("a"), FakeRunner({"a": [code]}), Told()

    await worked_off(a_watcher(some_settings(max_backoff=600), queue, runner, [told]))

    assert told.outcomes == [("a", outcome)]
    assert told.reports[0].pause_s == 2  # after its first receive
    assert await left(queue) == (0, 1)


async def test_message_that_came_back_is_run_again() -> None:
    queue, runner = a_queue("a"), FakeRunner({"a": [1, 4, 0]})

    await worked_off(a_watcher(some_settings(exit_wait=60), queue, runner))

    assert runner.ran == ["a"] * 3
    assert await left(queue) == (0, 0)


async def test_poll_is_no_longer_than_what_is_waited_for() -> None:
    clock = Clock()

    class Slow(MemoryQueue):
        """A queue whose empty polls take all their time, by the clock."""

        waits: ClassVar[list[int]] = []

        async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
            self.waits.append(wait_s)
            if messages := await super().receive(count, 0, visibility_s):
                return messages
            clock.advance(wait_s)
            return await super().receive(count, 0, visibility_s)

    queue, runner = Slow(world=a_world(clock)), FakeRunner({"a": [1, 0]})
    queue.send("a")
    settings = some_settings(poll_wait=20, exit_wait=7, max_backoff=600)

    await worked_off(a_watcher(settings, queue, runner, world=a_world(clock)))

    assert runner.ran == ["a", "a"]
    assert queue.waits == [20, 7, 20]  # the last one proves that the queue is empty


async def test_message_that_comes_again_when_it_is_done_is_deleted_without_a_run() -> None:
    class Forgetful(Quick):
        """Forgets the first delete: SQS may hand out a message that was deleted."""

        forgot = False

        async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
            if self.forgot:
                return await super().delete(messages)
            self.forgot = True
            return [*await self.hide([(message, 0) for message in messages])]

    queue, runner, told = Forgetful(), FakeRunner(), Told()
    queue.send("a")

    await worked_off(a_watcher(some_settings(), queue, runner, [told]))

    assert runner.ran == ["a"]
    assert told.reasons == [("a", None), ("a", "was done before")]
    assert await left(queue) == (0, 0)


async def test_message_that_failed_too_often_is_a_dead_letter() -> None:
    queue, told, destination = a_queue("a"), Told(), FakeDestination()
    letters = DeadLetters(destination, max_attempts=2, last_receive=100)
    runner = FakeRunner({"a": [1, 1]})

    await worked_off(
        a_watcher(some_settings(exit_wait=60), queue, runner, [told], dead_letters=letters)
    )

    assert told.outcomes == [("a", FAILED), ("a", FAILED.buried)]
    assert destination.bodies == ["a"]
    assert await left(queue) == (0, 0)


async def test_dead_letter_that_cannot_be_sent_goes_back(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(DeadLetters):
        async def take(self, report: Report) -> bool:
            raise ValueError("a fault of ours")

    queue, told = a_queue("a"), Told()
    letters = Broken(FakeDestination(), max_attempts=1, last_receive=100)

    await worked_off(
        a_watcher(some_settings(), queue, FakeRunner({"a": [1]}), [told], dead_letters=letters)
    )

    assert told.outcomes[0] == ("a", FAILED)
    assert "dead letter not sent" in caplog.text


# Slots.


async def test_no_more_messages_run_than_there_are_slots() -> None:
    queue = a_queue("a", "b", "c")
    runner = FakeRunner(held_up=["a", "b"])
    watcher = a_watcher(some_settings(concurrency=2), queue, runner)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, watcher)
        await until(lambda: len(runner) == 2)
        held = list(runner.ran)
        runner.go_on("b")
        await until(lambda: len(runner.ran) == 3)
        runner.go_on("a")

    assert held == ["a", "b"]
    assert runner.slots == [0, 1, 1]  # the lowest that is free
    assert runner.cleared == [1, 1, 0]
    assert await left(queue) == (0, 0)


async def test_slot_is_made_ready_once_its_message_is_settled() -> None:
    order: list[str] = []

    class Noting(Quick):
        async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
            order.append("deleted")
            return await super().delete(messages)

    class NotingRunner(FakeRunner):
        async def clear(self, slot: int) -> None:
            order.append("cleared")

    queue = Noting()
    queue.send("a")

    await worked_off(a_watcher(some_settings(), queue, NotingRunner()))

    assert order == ["deleted", "cleared"]


async def test_run_that_fails_by_a_fault_of_ours_fails_its_message_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(FakeRunner):
        async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
            if batch[0].message.body == "a":
                raise ValueError("a fault of ours")
            return await super().run(batch, slot)

    queue, runner, told = a_queue("a", "b"), Faulty(), Told()

    await worked_off(a_watcher(some_settings(max_backoff=600), queue, runner, [told]))

    assert told.outcomes == [("a", FAILED), ("b", COMPLETED)]
    assert await left(queue) == (0, 1)
    assert "message given up" in caplog.text


# Leases.


class Losing(Quick):
    """Gives the message to somebody else while it runs: its receipt is dead then."""

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        return [Refusal(code="ReceiptHandleIsInvalid", text="not this one")] * len(changes)


@pytest.mark.jumping
@pytest.mark.parametrize("choice", ["continue", "kill"])
async def test_message_whose_lease_is_lost_is_not_settled(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, runner, told, stop = a_jumping_world(), FakeRunner(held_up=["a"]), Told(), Stop()
    queue = Losing(world=world)
    queue.send("a")
    settings = some_settings(visibility_timeout=3, on_lost_lease=choice, exit_when_empty=False)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner, [told], world=world), stop)
        await until(lambda: "lease lost" in caplog.text)
        stop.ask()
        runner.go_on("a")

    assert runner.killed == (["a"] if choice == "kill" else [])
    assert told.outcomes == [("a", RELEASED)]
    assert told.reasons == [("a", "lease lost; exit code 0")]


# Batches.


async def test_messages_in_hand_run_together_and_each_has_its_own_end() -> None:
    queue = a_queue("a", "b", "c", "d")
    runner, told = FakeRunner({"b": [1], "c": [3]}), Told()
    settings = some_settings(max_backoff=600, batch_size=3)

    await worked_off(a_watcher(settings, queue, runner, [told]))

    assert runner.batches == [["a", "b", "c"], ["d"]]
    assert told.outcomes == [
        ("a", COMPLETED),
        ("b", FAILED),
        ("c", REJECTED),
        ("d", COMPLETED),
    ]
    assert [report.run.id for report in told.reports if report.run] == ["run-1"] * 3 + ["run-2"]
    assert await left(queue) == (0, 1)


async def test_runner_that_gives_too_few_verdicts_fails_its_batch() -> None:
    class Short(FakeRunner):
        async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
            return (await super().run(batch, slot))[1:]

    queue, told = a_queue("a", "b"), Told()

    await worked_off(
        a_watcher(some_settings(max_backoff=600, batch_size=2), queue, Short(), [told])
    )

    assert told.outcomes == [("a", FAILED), ("b", FAILED)]
    assert await left(queue) == (0, 2)


class Generous(Quick):
    """A FIFO queue that gives all it has of a group at once, however few were asked for."""

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        return await super().receive(10, wait_s, visibility_s)


async def test_those_behind_one_that_fails_in_a_fifo_batch_go_back_untouched() -> None:
    queue, told = Generous(name="q.fifo"), Told()
    for body in "abc":
        queue.send(body, group="g")
    runner = FakeRunner({"b": [1]})

    await worked_off(a_watcher(some_settings(batch_size=3), queue, runner, [told]))

    assert runner.batches == [["a", "b", "c"], ["b", "c"]]
    assert told.outcomes == [
        *[("a", COMPLETED), ("b", FAILED), ("c", RELEASED)],
        *[("b", COMPLETED), ("c", COMPLETED)],
    ]
    assert told.reasons[2] == ("c", WENT_BACK)
    assert await left(queue) == (0, 0)


# Those who hear of it.


async def test_observers_hear_each_report_once_in_order_and_before_the_message_goes() -> None:
    heard: list[str] = []

    class Noting(Quick):
        async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
            heard.append("deleted")
            return await super().delete(messages)

    class Named:
        def __init__(self, name: str) -> None:
            self._name = name

        def observe(self, report: Report) -> None:
            heard.append(f"{self._name} {report.message.body}")

    queue = Noting()
    queue.send("a")

    await worked_off(a_watcher(some_settings(), queue, FakeRunner(), [Named("1"), Named("2")]))

    assert heard == ["1 a", "2 a", "deleted"]


async def test_observer_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Raising:
        def observe(self, report: Report) -> None:
            raise ValueError("a fault of ours")

    queue, told = a_queue("a"), Told()

    await worked_off(a_watcher(some_settings(), queue, FakeRunner(), [Raising(), told]))

    assert told.outcomes == [("a", COMPLETED)]
    assert await left(queue) == (0, 0)
    assert [(record.message, vars(record)["observer"]) for record in caplog.records] == [
        ("an observer failed", "Raising")
    ]


async def test_open_breaker_stops_the_receiving() -> None:
    queue, stop = a_queue("a", "b", "c"), Stop()
    runner = FakeRunner({body: [1] for body in "abc"})
    watcher = a_watcher(
        some_settings(breaker=2, exit_when_empty=False, max_backoff=600), queue, runner
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, watcher, stop)
        await until(lambda: "breaker" in (watcher.unready() or ""))
        stop.ask()

    assert runner.ran == ["a", "b"]
