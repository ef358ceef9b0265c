"""Tests the settling of a message by its report."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.support.builders import a_jumping_world, a_message
from tests.support.destination import FakeDestination
from watchbot.errors import AwsError, Denied
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.report import Report, not_run
from watchbot.listen.settling import Settler
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    LEFT,
    REJECTED,
    RELEASED,
    RETURNED,
    TIMED_OUT,
    Outcome,
)
from watchbot.settings.base import load
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve

DENIED = Denied(service="SQS", operation="x", code="AccessDenied", text="not allowed")

pytestmark = pytest.mark.jumping


class NotingQueue:
    """Keeps what is done to messages; every delete may be denied."""

    fifo = False
    name = ""

    def __init__(self, denied: AwsError | None = None) -> None:
        self._denied = denied
        self.done: list[tuple[str, str, int | None]] = []

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        return []

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        if self._denied:
            raise self._denied
        self.done += [("delete", message.id, None) for message in messages]
        return [None] * len(messages)

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        self.done += [("hide", message.id, seconds) for message, seconds in changes]
        return [None] * len(changes)

    async def facts(self) -> Mapping[str, str]:
        return {}


@dataclass
class Bench:
    """A settler, one message in hand, and what it is settled with."""

    settler: Settler
    lease: Lease
    queue: NotingQueue
    source: Source

    async def end(self, outcome: Outcome, reason: str = "why") -> Report:
        """Decides and settles the message with this outcome of its run."""
        report = not_run(self.lease.message, outcome, reason)
        report = await self.settler.decide(self.lease, report)
        await self.settler.settle(self.lease, report)
        return report


@asynccontextmanager
async def a_bench(
    *,
    receives: int = 3,
    max_backoff: int = 600,
    letters: DeadLetters | None = None,
    denied: AwsError | None = None,
) -> AsyncIterator[Bench]:
    world = a_jumping_world()
    queue, valve = NotingQueue(denied), Valve(world)
    settings = load(WatcherSettings, {"max_backoff": max_backoff, "exit_when_empty": True})
    async with Leases(queue, 30, world=world) as leases:
        lease = leases.take(a_message("m", body="body", receives=receives))
        source = Source(queue, leases, valve)
        settler = Settler({"": source}, valve, {"": letters} if letters else {}, settings)
        yield Bench(settler, lease, queue, source)


@pytest.mark.parametrize("outcome", [COMPLETED, REJECTED])
async def test_message_that_is_done_is_deleted_and_remembered(outcome: Outcome) -> None:
    async with a_bench() as bench:
        await bench.end(outcome)

    assert bench.queue.done == [("delete", "m", None)]
    assert "m" in bench.settler.done
    assert bench.settler.none_awaited()


@pytest.mark.parametrize("outcome", [FAILED, RETURNED, TIMED_OUT])
async def test_message_that_is_to_be_tried_again_waits_2_to_the_receives_seconds(
    outcome: Outcome,
) -> None:
    async with a_bench() as bench:
        report = await bench.end(outcome)

    assert bench.queue.done == [("hide", "m", 8)]
    assert report.pause_s == 8
    assert "m" not in bench.settler.done
    assert not bench.settler.none_awaited()


async def test_pause_is_cut_to_the_longest_backoff() -> None:
    async with a_bench(max_backoff=5) as bench:
        await bench.end(FAILED)

    assert bench.queue.done == [("hide", "m", 5)]


async def test_message_that_is_released_is_visible_at_once() -> None:
    async with a_bench() as bench:
        await bench.end(RELEASED)

    assert bench.queue.done == [("hide", "m", 0)]


async def test_message_that_is_left_is_not_touched() -> None:
    async with a_bench() as bench:
        await bench.end(LEFT)

    assert bench.queue.done == []


@pytest.mark.parametrize("outcome", [COMPLETED, FAILED, LEFT])
async def test_message_whose_lease_is_lost_is_released_and_not_touched(outcome: Outcome) -> None:
    async with a_bench() as bench:
        bench.lease.lost = True
        report = await bench.end(outcome, "exit code 0")

    assert (report.outcome, report.how) == (RELEASED, "lease lost; exit code 0")
    assert bench.queue.done == []


async def test_message_done_under_a_lost_lease_needs_no_second_run() -> None:
    async with a_bench() as bench:
        bench.lease.lost = True
        await bench.end(COMPLETED)

    assert "m" in bench.settler.done


async def test_message_given_up_is_sent_away_before_it_is_deleted() -> None:
    destination = FakeDestination()
    letters = DeadLetters(destination, max_attempts=1, last_receive=100)

    async with a_bench(letters=letters) as bench:
        report = await bench.end(FAILED)

    assert report.outcome == FAILED.buried
    assert len(destination.bodies) == 1
    assert bench.queue.done == [("delete", "m", None)]


class Broken(DeadLetters):
    def __init__(self, fault: Callable[[], Exception]) -> None:
        super().__init__(FakeDestination(), max_attempts=1, last_receive=1)
        self._fault = fault

    async def take(self, report: Report) -> bool:
        raise self._fault()


async def test_dead_letter_that_raises_sends_the_message_back() -> None:
    async with a_bench(letters=Broken(ValueError)) as bench:
        report = await bench.end(FAILED)

    assert report.outcome is FAILED
    assert bench.queue.done == [("hide", "m", 8)]


async def test_delete_that_is_denied_holds_the_receiving() -> None:
    async with a_bench(denied=DENIED) as bench:
        await bench.end(COMPLETED)

    assert bench.source.rests_until > bench.lease.message.asked_at + 50
