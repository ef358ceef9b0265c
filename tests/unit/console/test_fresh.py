"""A source is asked seldom, and delays no page."""

import anyio
import pytest

from tests.support.builders import Clock
from watchbot.console.fresh import Fresh, Missing
from watchbot.errors import WatchbotError


async def test_all_who_look_share_one_question() -> None:
    asked, clock = 0, Clock()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await anyio.lowlevel.checkpoint()
        return asked

    async with anyio.create_task_group() as tasks:
        fresh = Fresh(ask, tasks, clock=clock)
        first = [await fresh.get() for _ in range(3)]
        clock.advance(6)
        shown_at_once = await fresh.get()
        await anyio.wait_all_tasks_blocked()
        anew = await fresh.get()

    assert (first, shown_at_once, anew, asked) == ([1, 1, 1], 1, 2, 2)


async def test_answer_is_asked_anew_after_an_action() -> None:
    answers = iter(["before", "after"])

    async def ask() -> str:
        return next(answers)

    async with anyio.create_task_group() as tasks:
        fresh = Fresh(ask, tasks, clock=Clock())
        assert await fresh.get() == "before"
        fresh.forget()
        assert await fresh.get() == "after"


async def test_question_from_before_an_action_is_asked_again() -> None:
    state, acted = "before", anyio.Event()

    async def ask() -> str:
        seen = state
        await acted.wait()
        return seen

    async with anyio.create_task_group() as tasks:
        fresh = Fresh(ask, tasks, clock=Clock())
        tasks.start_soon(fresh.get)
        await anyio.wait_all_tasks_blocked()
        state = "after"
        fresh.forget()
        acted.set()
        assert await fresh.get() == "after"


async def test_failure_is_a_missing_part() -> None:
    async def ask() -> str:
        raise WatchbotError("the database is down")

    async with anyio.create_task_group() as tasks:
        assert await Fresh(ask, tasks).get() == Missing(reason="the database is down")


async def test_fault_in_a_source_is_a_missing_part(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> str:
        raise ZeroDivisionError("a fault of ours")

    async with anyio.create_task_group() as tasks:
        shown = await Fresh(ask, tasks).get()

    assert shown == Missing(reason="a fault of the console; its log says which")
    assert "ZeroDivisionError: a fault of ours" in caplog.text


@pytest.mark.jumping
async def test_source_that_hangs_delays_a_page_by_two_seconds() -> None:
    async with anyio.create_task_group() as tasks:
        fresh = Fresh(anyio.sleep_forever, tasks)
        before = anyio.current_time()
        assert await fresh.get() == Missing(reason="no answer yet")
        assert anyio.current_time() - before == pytest.approx(2)
        tasks.cancel_scope.cancel()
