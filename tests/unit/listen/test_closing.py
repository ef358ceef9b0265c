"""How the messages of a batch come to their ends while their run goes on."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.support.builders import a_message
from watchbot.listen.closing import WENT_BACK, Closing
from watchbot.listen.report import Report, Verdict, not_run
from watchbot.outcome import COMPLETED, FAILED, RELEASED

pytestmark = pytest.mark.jumping


class Ends:
    """Decides by the verdict; keeps what was settled, in order."""

    def __init__(self) -> None:
        self.settled: list[tuple[int, str, str | None]] = []
        self.undeletable: set[int] = set()
        self.pause_s = 0.0

    async def decide(self, number: int, verdict: Verdict) -> Report:
        report = not_run(a_message(str(number)), verdict.outcome, "")
        return replace(report, reason=verdict.reason)

    async def settle(self, number: int, report: Report) -> bool:
        await anyio.sleep(self.pause_s)  # as long as the settling takes
        self.settled.append((number, report.outcome.name, report.reason))
        return number not in self.undeletable


def a_closing(size: int, *, fifo: bool = False) -> tuple[Closing, Ends]:
    ends = Ends()
    return Closing(size, ends.decide, ends.settle, fifo=fifo), ends


DONE, BROKE = Verdict(outcome=COMPLETED), Verdict(outcome=FAILED, reason="broke")


async def test_message_that_is_told_is_settled_before_the_run_ends() -> None:
    closing, ends = a_closing(3)

    async with anyio.create_task_group() as workers:
        closing.tell(workers, 1, DONE)
        await anyio.wait_all_tasks_blocked()
    before = list(ends.settled)
    await closing.end([BROKE, DONE, BROKE])

    assert before == [(1, "completed", None)]
    assert ends.settled == [
        (1, "completed", None),
        (0, "failed", "broke"),
        (2, "failed", "broke"),
    ]


async def test_message_that_is_told_while_another_is_settled_does_not_wait_for_the_run() -> None:
    closing, ends = a_closing(3)
    ends.pause_s = 1

    async with anyio.create_task_group() as workers:
        closing.tell(workers, 0, DONE)
        await anyio.sleep(0.5)  # the first is being settled
        closing.tell(workers, 1, DONE)
        await anyio.sleep(5)  # both have had their time

        assert ends.settled == [(0, "completed", None), (1, "completed", None)]


async def test_fifo_message_that_is_told_waits_for_those_before_it() -> None:
    closing, ends = a_closing(3, fifo=True)

    async with anyio.create_task_group() as workers:
        closing.tell(workers, 1, DONE)
        await anyio.wait_all_tasks_blocked()
        assert ends.settled == []
        closing.tell(workers, 0, BROKE)
        await anyio.wait_all_tasks_blocked()
    await closing.end([BROKE, DONE, DONE])

    assert ends.settled == [
        (0, "failed", "broke"),
        (1, RELEASED.name, WENT_BACK),
        (2, RELEASED.name, WENT_BACK),
    ]


async def test_what_is_behind_a_fifo_message_that_cannot_be_deleted_goes_back() -> None:
    closing, ends = a_closing(2, fifo=True)
    ends.undeletable = {0}

    await closing.end([DONE, DONE])

    assert ends.settled == [(0, "completed", None), (1, RELEASED.name, WENT_BACK)]


async def test_what_is_behind_a_message_that_goes_back_is_not_to_be_handed_over() -> None:
    closing, _ = a_closing(3, fifo=True)
    standard, _ = a_closing(3)

    async with anyio.create_task_group() as workers:
        for each in (closing, standard):
            each.tell(workers, 0, DONE)
            each.tell(workers, 1, BROKE)
        at_once = [closing.goes_back(number) for number in range(3)]
        await anyio.wait_all_tasks_blocked()

    assert at_once == [False, False, True]
    assert closing.goes_back(2)
    assert not standard.goes_back(2)


async def test_fault_in_a_message_that_is_told_is_heard_at_the_end_of_the_batch() -> None:
    async def decide(number: int, verdict: Verdict) -> Report:
        raise ValueError("a fault of ours")

    settled: list[Any] = []

    async def settle(number: int, report: Report) -> bool:
        settled.append(number)
        return True

    closing = Closing(2, decide, settle, fifo=False)
    async with anyio.create_task_group() as workers:
        closing.tell(workers, 0, DONE)

    heard = None
    try:
        await closing.end([DONE, DONE])
    except Exception as error:
        heard = error

    assert heard is not None
    assert settled == []
