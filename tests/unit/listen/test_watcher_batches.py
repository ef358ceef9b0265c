"""What a watcher promises of batches, with a runner that starts nothing."""

from collections.abc import Sequence

import anyio
import pytest

from tests.support.builders import a_jumping_world
from tests.support.watching import (
    FakeRunner,
    Told,
    a_queue,
    a_watcher,
    left,
    some_settings,
    until,
    worked_off,
)
from watchbot.lifecycle import Stop
from watchbot.listen.care import Ending
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.outcome import COMPLETED, LEAVING


@pytest.mark.jumping
async def test_batch_waits_for_its_window_and_then_runs_as_it_is() -> None:
    world, runner = a_jumping_world(), FakeRunner()
    queue, began = a_queue("a", "b", world=world), world.now()
    settings = some_settings(batch_size=5, batch_window=2)

    await worked_off(a_watcher(settings, queue, runner, world=world))

    assert runner.batches == [["a", "b"]]
    assert world.now() - began >= 2, "by the clock that jumps"


@pytest.mark.jumping
async def test_batch_that_waits_is_let_go_at_the_drain_and_holds_nothing_up() -> None:
    world, runner, told, stop = a_jumping_world(), FakeRunner(), Told(), Stop()
    queue = a_queue("a", world=world)
    settings = some_settings(batch_size=5, batch_window=300)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner, [told], world=world), stop)
        await until(lambda: queue.handed_out)
        stop.ask()
        asked_at = world.now()

    assert (runner.batches, told.reasons) == ([], [("a", LEAVING)])
    assert await left(queue) == (1, 0)
    assert world.now() - asked_at < 1, "by the clock that jumps"


@pytest.mark.jumping
async def test_window_of_a_batch_that_became_full_does_not_hold_up_the_end() -> None:
    world, runner = a_jumping_world(), FakeRunner()
    queue = a_queue("a", world=world)
    settings = some_settings(batch_size=2, batch_window=300)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner, world=world))
        await until(lambda: queue.handed_out)
        queue.send("b")
        began = world.now()

    assert runner.batches == [["a", "b"]]
    assert world.now() - began < 5, "by the clock that jumps"


async def test_message_that_its_runner_tells_is_settled_while_the_run_goes_on() -> None:
    class Early(FakeRunner):
        async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
            batch[0].tell(Verdict(outcome=COMPLETED, ending=Ending(exit_code=0)))
            return await super().run(batch, slot)

    queue, runner, told = a_queue("a", "b"), Early(held_up=["b"]), Told()

    async with anyio.create_task_group() as tasks:
        watcher = a_watcher(some_settings(batch_size=2), queue, runner, [told])
        tasks.start_soon(worked_off, watcher)
        await until(lambda: told.reports)
        assert told.outcomes == [("a", COMPLETED)]
        runner.go_on("b")

    assert told.outcomes == [("a", COMPLETED), ("b", COMPLETED)]
    assert await left(queue) == (0, 0)


async def test_nothing_is_received_while_the_bodies_in_hand_take_up_too_much() -> None:
    big = "a" * 1_000
    queue, runner = a_queue(big), FakeRunner(held_up=[big])
    settings = some_settings(concurrency=10, max_in_hand_bytes=1_000)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worked_off, a_watcher(settings, queue, runner))
        await until(lambda: runner.running)
        receives = queue.receives
        queue.send("b")
        await anyio.wait_all_tasks_blocked()
        assert (runner.ran, queue.receives - receives) == ([big], 0)
        runner.go_on(big)

    assert runner.ran == [big, "b"]
