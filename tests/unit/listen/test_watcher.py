"""What a watcher promises: the real one, on a queue in memory, with a runner that starts nothing.

Read the names of the tests: they are its specification.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import anyio
import pytest

from tests.support.builders import Clock, a_world
from tests.support.destination import FakeDestination
from tests.support.watching import a_watcher
from watchbot.errors import AwsError, Denied
from watchbot.lifecycle import Stop
from watchbot.listen.care import Ending
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.report import Report, Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.running import WENT_BACK
from watchbot.listen.watcher import Watcher
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    LEAVING,
    REJECTED,
    RELEASED,
    RETURNED,
    ExitCodes,
    Outcome,
)
from watchbot.settings.base import load
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

DENIED = Denied(service="SQS", operation="receive_message", code="AccessDenied", text="no")


class FakeRunner:
    """Gives each message the verdict of its next exit code; keeps what it was asked for.

    A message whose body is in `held_up` runs until `go_on`, or until all are released.
    """

    def __init__(
        self, codes: Mapping[str, Sequence[int]] | None = None, held_up: Sequence[str] = ()
    ) -> None:
        self._codes = {body: list(codes) for body, codes in (codes or {}).items()}
        self._held_up = set(held_up)
        self._gates: dict[str, anyio.Event] = {}
        self._released = anyio.Event()
        self.batches: list[list[str]] = []
        self.slots: list[int] = []
        self.running = 0
        self.cleared: list[int] = []
        self.killed: list[str] = []

    @property
    def ran(self) -> list[str]:
        """The bodies for which the command ran, in order."""
        return [body for batch in self.batches for body in batch]

    def __len__(self) -> int:
        return self.running

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        for job in batch:
            job.leave_seat()
        self.batches.append([job.message.body for job in batch])
        self.slots.append(slot)
        self.running += 1
        await self._wait([job.message.body for job in batch])
        self.running -= 1
        run = Run(id=f"run-{len(self.batches)}", duration_s=0.1)
        if self._released.is_set():
            return [Verdict(outcome=RELEASED, reason=LEAVING, run=run)] * len(batch)
        return [self._verdict(job, run) for job in batch]

    async def clear(self, slot: int) -> None:
        self.cleared.append(slot)

    def kill(self, message: Message) -> None:
        self.killed.append(message.body)

    def release_all(self) -> None:
        self._released.set()
        for gate in self._gates.values():
            gate.set()

    def go_on(self, body: str) -> None:
        self._held_up.discard(body)
        self._gates[body].set()

    async def _wait(self, bodies: Sequence[str]) -> None:
        for body in self._held_up.intersection(bodies):
            await self._gates.setdefault(body, anyio.Event()).wait()

    def _verdict(self, job: Job, run: Run) -> Verdict:
        codes = self._codes.get(job.message.body)
        code = codes.pop(0) if codes else 0
        return Verdict(outcome=ExitCodes().outcome(code), ending=Ending(exit_code=code), run=run)


class Told:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def observe(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(report.message.body, report.outcome) for report in self.reports]

    @property
    def reasons(self) -> list[tuple[str, str | None]]:
        return [(report.message.body, report.reason) for report in self.reports]


class Quick(MemoryQueue):
    """A queue whose polls are soon back, as no other process sends to it."""

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        if messages := await super().receive(count, 0, visibility_s):
            return messages
        await anyio.sleep(0.01)
        return await super().receive(count, 0, visibility_s)


def some_settings(**options: Any) -> WatcherSettings:
    facts = {"exit_when_empty": True, "poll_wait": 1, "exit_wait": 0, "max_backoff": 0}
    return load(WatcherSettings, {**facts, **options})


def a_queue(*bodies: str, name: str = "memory", group: str | None = None) -> Quick:
    queue = Quick(name)
    for body in bodies:
        queue.send(body, group=group)
    return queue


async def left(queue: MemoryQueue) -> tuple[int, int]:
    """How many messages of a queue are visible, and how many are hidden."""
    facts = await queue.facts()
    visible = facts["ApproximateNumberOfMessages"]
    return int(visible), int(facts["ApproximateNumberOfMessagesNotVisible"])


async def worked_off(watcher: Watcher, stop: Stop | None = None) -> None:
    with anyio.fail_after(30):
        await watcher.run(stop or Stop())


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.001)


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


# Messages that come twice.


class Doubling(Quick):
    """Hands out the first messages twice at once, as SQS may."""

    doubled = False

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        messages = await super().receive(min(count, 1), wait_s, visibility_s)
        twice = messages and not self.doubled and count > 1
        self.doubled = self.doubled or bool(twice)
        return messages * 2 if twice else messages


@pytest.mark.parametrize(
    ("code", "outcomes"),
    [(0, [COMPLETED, COMPLETED]), (1, [FAILED, RETURNED])],
    ids=["done: deleted", "failed: both wait"],
)
async def test_twin_of_a_message_in_hand_waits_for_its_end_and_does_not_run(
    code: int, outcomes: list[Outcome]
) -> None:
    queue, runner, told = Doubling(), FakeRunner({"a": [code]}), Told()
    queue.send("a")
    settings = some_settings(concurrency=2, max_backoff=600)

    await worked_off(a_watcher(settings, queue, runner, [told]))

    assert runner.ran == ["a"]
    assert told.outcomes == [("a", outcome) for outcome in outcomes]
    assert await left(queue) == (0, code)


# FIFO queues.


async def test_messages_of_a_group_run_in_order_and_one_at_a_time() -> None:
    queue = a_queue("a", "b", "c", name="q.fifo", group="g")
    runner = FakeRunner()

    await worked_off(a_watcher(some_settings(concurrency=3), queue, runner))

    assert runner.batches == [["a"], ["b"], ["c"]]
    assert await left(queue) == (0, 0)


async def test_groups_run_side_by_side() -> None:
    queue = a_queue("a", name="q.fifo", group="g")
    queue.send("b", group="h")
    runner = FakeRunner(held_up=["a", "b"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(some_settings(concurrency=2), queue, runner))
        await until(lambda: len(runner) == 2)
        runner.go_on("a")
        runner.go_on("b")

    assert await left(queue) == (0, 0)


async def test_next_of_a_group_waits_while_the_one_before_it_goes_back() -> None:
    queue = a_queue("a", "b", name="q.fifo", group="g")
    runner = FakeRunner({"a": [1]})

    await worked_off(a_watcher(some_settings(concurrency=2, exit_wait=60), queue, runner))

    assert runner.ran == ["a", "a", "b"]


# Leases.


class Losing(Quick):
    """Gives the message to somebody else while it runs: its receipt is dead then."""

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        return [Refusal(code="ReceiptHandleIsInvalid", text="not this one")] * len(changes)


@pytest.mark.parametrize("choice", ["continue", "kill"])
async def test_message_whose_lease_is_lost_is_not_settled(
    choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue, runner, told, stop = Losing(), FakeRunner(held_up=["a"]), Told(), Stop()
    queue.send("a")
    settings = some_settings(visibility_timeout=3, on_lost_lease=choice, exit_when_empty=False)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner, [told]), stop)
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
    settings = some_settings(max_backoff=600)

    await worked_off(a_watcher(settings, queue, runner, [told], batch_size=3))

    assert runner.batches == [["a", "b", "c"], ["d"]]
    assert told.outcomes == [
        ("a", COMPLETED),
        ("b", FAILED),
        ("c", REJECTED),
        ("d", COMPLETED),
    ]
    assert [report.run.id for report in told.reports if report.run] == ["run-1"] * 3 + ["run-2"]
    assert await left(queue) == (0, 1)


class Generous(Quick):
    """A FIFO queue that gives all it has of a group at once, however few were asked for."""

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        return await super().receive(10, wait_s, visibility_s)


async def test_those_behind_one_that_fails_in_a_fifo_batch_go_back_untouched() -> None:
    queue, told = Generous(name="q.fifo"), Told()
    for body in "abc":
        queue.send(body, group="g")
    runner = FakeRunner({"b": [1]})

    await worked_off(a_watcher(some_settings(), queue, runner, [told], batch_size=3))

    assert runner.batches == [["a", "b", "c"], ["b", "c"]]
    assert told.outcomes == [
        *[("a", COMPLETED), ("b", FAILED), ("c", RELEASED)],
        *[("b", COMPLETED), ("c", COMPLETED)],
    ]
    assert told.reasons[2] == ("c", WENT_BACK)
    assert await left(queue) == (0, 0)


async def test_runner_that_gives_too_few_verdicts_fails_its_batch() -> None:
    class Short(FakeRunner):
        async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
            return (await super().run(batch, slot))[1:]

    queue, told = a_queue("a", "b"), Told()

    await worked_off(
        a_watcher(some_settings(max_backoff=600), queue, Short(), [told], batch_size=2)
    )

    assert told.outcomes == [("a", FAILED), ("b", FAILED)]
    assert await left(queue) == (0, 2)


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


# The end.


async def test_watcher_leaves_when_the_queue_is_empty(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "watchbot"):
        await worked_off(a_watcher(some_settings(), a_queue(), FakeRunner()))

    last = vars(caplog.records[-1])
    assert (last["message"], last["visible"], last["in_flight"]) == ("stopped", 0, 0)


async def test_stop_before_the_start_takes_nothing() -> None:
    queue, runner, stop = a_queue("a"), FakeRunner(), Stop()
    stop.ask()

    await worked_off(a_watcher(some_settings(drain_timeout=0), queue, runner), stop)

    assert runner.ran == []
    assert await left(queue) == (1, 0)


async def test_drain_lets_runs_end_and_takes_no_more() -> None:
    queue, runner, told, stop = a_queue("a", "b"), FakeRunner(held_up=["a"]), Told(), Stop()
    watcher = a_watcher(some_settings(), queue, runner, [told])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, watcher, stop)
        await until(lambda: len(runner) == 1)
        stop.ask()
        await until(lambda: watcher.unready() == "draining")
        runner.go_on("a")

    assert told.outcomes == [("a", COMPLETED)]
    assert await left(queue) == (1, 0)


@pytest.mark.parametrize("times", [1, 2], ids=["the drain is over", "a second signal"])
async def test_what_still_runs_at_the_end_is_released(times: int) -> None:
    queue, runner, told, stop = a_queue("a"), FakeRunner(held_up=["a"]), Told(), Stop()
    settings = some_settings(drain_timeout=0 if times == 1 else 3600)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner, [told]), stop)
        await until(lambda: len(runner) == 1)
        for _ in range(times):
            stop.ask()

    assert told.reasons == [("a", LEAVING)]
    assert await left(queue) == (1, 0)


async def test_refused_receive_ends_the_watcher_with_what_aws_said() -> None:
    class Refusing(Quick):
        async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
            raise DENIED

    with pytest.raises(ExceptionGroup) as caught:
        await worked_off(a_watcher(some_settings(), Refusing(), FakeRunner()))

    assert caught.group_contains(AwsError)
