"""Which messages a watcher runs beside each other, which in order, and which not at all."""

import anyio
import pytest

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
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    RETURNED,
    Outcome,
)
from watchbot.sqs.message import Message

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
