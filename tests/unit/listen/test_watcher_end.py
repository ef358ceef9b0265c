"""When a watcher leaves, and what it does about what still runs."""

import logging

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
from watchbot.errors import AwsError, Denied
from watchbot.lifecycle import Stop
from watchbot.outcome import (
    COMPLETED,
    LEAVING,
)
from watchbot.sqs.message import Message

DENIED = Denied(service="SQS", operation="receive_message", code="AccessDenied", text="no")


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
