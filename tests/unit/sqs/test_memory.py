"""Tests cases beyond the contract: hours, cancelled polls, and large backlogs."""

import asyncio
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.support.builders import Clock, a_world
from watchbot.errors import Rejected
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Attribute
from watchbot.sqs.queue import Queue

PLENTY = 4_000

TraceFunction = Callable[[FrameType, str, Any], Any]


async def bodies(queue: Queue, count: int = 10, *, wait_s: int = 0, hidden_s: int = 30) -> str:
    return " ".join(message.body for message in await queue.receive(count, wait_s, hidden_s))


async def counts(queue: Queue) -> tuple[int, int, int]:
    """Messages visible, hidden, and delayed."""
    facts = await queue.facts()
    visible = int(facts["ApproximateNumberOfMessages"])
    hidden = int(facts["ApproximateNumberOfMessagesNotVisible"])
    return visible, hidden, int(facts["ApproximateNumberOfMessagesDelayed"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_message_is_hidden_for_twelve_hours_from_its_receive_at_most(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (message,) = await queue.receive(1, 0, 30_000)
    clock.advance(20_000)

    (refusal,) = await queue.hide([(message, 23_201)])
    (granted,) = await queue.hide([(message, 23_200)])

    assert refusal is not None
    assert refusal.code == "InvalidParameterValue"
    assert not refusal.lost
    assert granted is None


async def test_extending_does_not_begin_the_twelve_hours_anew(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (message,) = await queue.receive(1, 0, 3_600)

    granted = []
    for _ in range(13):
        clock.advance(3_599)
        granted += [refusal is None for refusal in await queue.hide([(message, 3_600)])]

    assert granted == [True] * 11 + [False, False]


@pytest.mark.parametrize("seconds", [-1, 43_201])
async def test_time_that_no_message_is_hidden_for_is_refused(clock: Clock, seconds: int) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (message,) = await queue.receive(1, 0, 30)

    (refusal,) = await queue.hide([(message, seconds)])

    assert refusal is not None
    assert not refusal.lost
    assert await counts(queue) == (0, 1, 0)


async def test_time_of_a_hide_counts_from_its_call(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (message,) = await queue.receive(1, 0, 30)
    clock.advance(20)
    await queue.hide([(message, 30)])

    clock.advance(29)
    assert await bodies(queue) == ""
    clock.advance(1)
    assert await bodies(queue) == "a"


async def test_hide_is_for_this_receive_only(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (message,) = await queue.receive(1, 0, 30)
    await queue.hide([(message, 600)])
    clock.advance(600)
    await queue.receive(1, 0, 30)

    clock.advance(30)

    assert await bodies(queue) == "a"


@pytest.mark.parametrize("name", ["q", "q.fifo"])
async def test_lease_that_ran_out_cannot_be_renewed(clock: Clock, name: str) -> None:
    queue = MemoryQueue(name, world=a_world(clock))
    queue.send("a", group="g")
    (message,) = await queue.receive(1, 0, 30)
    clock.advance(30)

    (refusal,) = await queue.hide([(message, 30)])

    assert refusal is not None
    assert refusal.lost
    assert await counts(queue) == (1, 0, 0)


async def test_receipt_of_before_deletes_nothing_and_is_taken(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a")
    (old,) = await queue.receive(1, 0, 30)
    clock.advance(30)
    (new,) = await queue.receive(1, 0, 30)

    assert await queue.delete([old]) == [None]
    assert await counts(queue) == (0, 1, 0)
    assert await queue.delete([new]) == [None]
    assert await counts(queue) == (0, 0, 0)


async def test_expired_receipt_settles_nothing_in_a_fifo_queue(clock: Clock) -> None:
    queue = MemoryQueue("q.fifo", world=a_world(clock))
    queue.send("a", group="g")
    (message,) = await queue.receive(1, 0, 30)
    clock.advance(31)

    (refusal,) = await queue.delete([message])

    assert refusal is not None
    assert refusal.lost
    assert await bodies(queue) == "a"


async def test_repetition_is_forgotten_after_five_minutes(clock: Clock) -> None:
    queue = MemoryQueue("q.fifo", world=a_world(clock))
    first = queue.send("same", group="g")

    clock.advance(299)
    again = queue.send("same", group="g")
    clock.advance(2)
    later = queue.send("same", group="g")

    assert again == first
    assert later != first
    assert await counts(queue) == (2, 0, 0)


async def test_repetition_is_one_after_the_first_was_deleted_too(clock: Clock) -> None:
    queue = MemoryQueue("q.fifo", world=a_world(clock))
    first = queue.send("a", group="g", MessageDeduplicationId="id")
    await queue.delete(await queue.receive(1, 0, 30))

    assert queue.send("b", group="other", MessageDeduplicationId="id") == first
    assert await bodies(queue) == ""


async def test_fifo_group_opens_when_the_time_of_its_head_is_up(clock: Clock) -> None:
    queue = MemoryQueue("q.fifo", world=a_world(clock))
    for body in ("a1", "a2", "b1"):
        queue.send(body, group=body[0])
    await queue.receive(1, 0, 30)

    assert await bodies(queue) == "b1"
    clock.advance(30)
    assert await bodies(queue) == "a1 a2 b1"


async def test_message_moves_to_the_dead_letters_as_it_was(clock: Clock) -> None:
    dead_letters = MemoryQueue("dead", world=a_world(clock))
    queue = MemoryQueue(dead_letter=dead_letters, max_receives=3, world=a_world(clock))
    attributes = {"k": Attribute(type="String", value="v")}
    sent = queue.send("poison", attributes=attributes, SenderId="me")
    for _ in range(3):
        await queue.receive(1, 0, 30)
        clock.advance(30)

    assert await bodies(queue) == ""
    (message,) = await dead_letters.receive(1, 0, 30)
    assert (message.id, message.body, message.attributes) == (sent, "poison", attributes)
    assert message.system["SenderId"] == "me"
    assert message.system["DeadLetterQueueSourceArn"] == queue.arn
    assert await counts(queue) == (0, 0, 0)


async def test_dead_letter_of_a_fifo_queue_repeats_nothing(clock: Clock) -> None:
    dead_letters = MemoryQueue("dead.fifo", world=a_world(clock))
    queue = MemoryQueue("q.fifo", dead_letter=dead_letters, max_receives=1, world=a_world(clock))
    sent = queue.send("poison", group="g", MessageDeduplicationId="id")
    await queue.receive(1, 0, 0)

    assert await bodies(queue) == ""
    (message,) = await dead_letters.receive(1, 0, 30)
    assert (message.group, message.system["MessageDeduplicationId"]) == ("g", sent)


async def test_delayed_message_comes_when_its_time_has_come(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    queue.send("a", delay_s=60)
    before = await counts(queue)

    clock.advance(60)

    assert before == (0, 0, 1)
    assert await bodies(queue) == "a"


@pytest.mark.parametrize(
    ("delay_s", "hidden_s"), [(60, 0), (0, 60)], ids=["delay ends", "visibility timeout ends"]
)
async def test_waiting_receive_wakes_when_the_time_has_come(
    clock: Clock, delay_s: int, hidden_s: int
) -> None:
    queue = MemoryQueue(world=a_world(clock))
    clock.tell(queue.wake)
    queue.send("a", delay_s=delay_s)
    await queue.receive(1, 0, hidden_s)
    clock.advance(45)
    got: list[str] = []

    async def poll() -> None:
        got.append(await bodies(queue, wait_s=20))

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poll)
            await anyio.lowlevel.checkpoint()
            clock.advance(15)

    assert got == ["a"]


async def test_waiting_receive_ends_when_its_wait_is_over(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    clock.tell(queue.wake)

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.receive, 10, 20, 30)
            await anyio.lowlevel.checkpoint()
            clock.advance(20)


async def test_every_waiting_receive_is_served() -> None:
    queue, got = MemoryQueue(), list[str]()

    async def take() -> None:
        got.append(await bodies(queue, 1, wait_s=20))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take)
            await anyio.lowlevel.checkpoint()
            for body in "abc":
                queue.send(body)

    assert sorted(got) == ["a", "b", "c"]


async def test_receive_that_is_cancelled_as_it_wakes_takes_nothing_along() -> None:
    queue = MemoryQueue()
    poll = asyncio.ensure_future(queue.receive(1, 20, 30))
    await anyio.lowlevel.checkpoint()

    queue.send("a")
    poll.cancel()
    await asyncio.wait([poll])

    assert poll.cancelled()
    assert await bodies(queue) == "a"


async def test_purged_queue_is_empty(clock: Clock) -> None:
    queue = MemoryQueue(world=a_world(clock))
    for body in "abc":
        queue.send(body)
    (message,) = await queue.receive(1, 0, 30)
    queue.send("later", delay_s=10)

    queue.purge()

    assert await counts(queue) == (0, 0, 0)
    assert await queue.delete([message]) == [None]
    clock.advance(60)
    assert await bodies(queue) == ""


@pytest.mark.parametrize(
    ("body", "group", "code"),
    [
        ("", "g", "InvalidParameterValue"),
        ("ü" * 524_289, "g", "InvalidParameterValue"),
        ("nul \x00", "g", "InvalidMessageContents"),
        ("half \ud800", "g", "InvalidMessageContents"),
        ("x", None, "MissingParameter"),
    ],
    ids=["empty", "too large", "NUL", "lone surrogate", "no group"],
)
def test_what_sqs_refuses_is_refused(body: str, group: str | None, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        MemoryQueue("q.fifo").send(body, group=group)

    assert refused.value.code == code


def test_largest_message_is_taken() -> None:
    assert MemoryQueue().send("ü" * 524_288)


@pytest.mark.parametrize("name", ["q", "q.fifo"])
async def test_calls_cost_the_same_however_many_messages_wait(clock: Clock, name: str) -> None:
    few, many = MemoryQueue(name, world=a_world(clock)), MemoryQueue(name, world=a_world(clock))
    for queue, count in ((few, 100), (many, PLENTY)):
        for number in range(count):
            queue.send(str(number), group=str(number % 50))

    assert await steps(many) < 2 * await steps(few)
    assert await counts(many) == (PLENTY - 20, 0, 0)


async def steps(queue: MemoryQueue) -> int:
    """How many instructions Python runs to handle twenty messages."""
    done = 0

    def count(frame: FrameType, event: str, argument: object) -> TraceFunction:
        nonlocal done
        frame.f_trace_opcodes = True
        done += event == "opcode"
        return count

    sys.settrace(count)
    try:
        for _ in range(2):
            messages = await queue.receive(10, 0, 30)
            await queue.hide([(message, 60) for message in messages])
            await queue.delete(messages)
            await queue.facts()
    finally:
        sys.settrace(None)
    return done
