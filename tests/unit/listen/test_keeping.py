"""Failures are kept in the background, whatever the store does."""

from collections.abc import Callable, Sequence
from datetime import datetime

import anyio
import pytest

from tests.support.builders import a_jumping_world, a_report
from watchbot.errors import DataRefused, WatchbotError
from watchbot.failures.store import FailureKind, KeptFailure
from watchbot.listen.keeping import BATCH, MOST_WAITING, FailureKeeper
from watchbot.outcome import COMPLETED


class FakeStore:
    """A store in memory that refuses the first `refusals` writes, and the message `unfit`.

    `during` happens in the first write.
    """

    def __init__(self, refusals: int = 0, unfit: str = "") -> None:
        self.refusals, self.unfit = refusals, unfit
        self.writes: list[list[KeptFailure]] = []
        self.forgot = 0
        self.during: Callable[[], None] = lambda: None

    async def add(self, failures: Sequence[KeptFailure]) -> None:
        during, self.during = self.during, lambda: None
        during()
        if self.refusals:
            self.refusals -= 1
            raise WatchbotError("the database is down")
        if any(each.message_id == self.unfit for each in failures):
            raise DataRefused("memory", "it cannot hold this")
        self.writes.append(list(failures))

    async def kinds(self, now: datetime) -> list[FailureKind]:
        return []

    async def of_kind(self, fingerprint: str, most: int) -> list[KeptFailure]:
        return []

    async def forget(self, before: datetime) -> None:
        self.forgot += 1


async def kept(store: FakeStore, *, count: int, output: bool = True) -> list[KeptFailure]:
    """What the store has after `count` failures, and one success."""
    container = {"Container": "c", "Task": "arn:task", "Log stream": "s"}
    keeper = FailureKeeper(store, container, output=output, world=a_jumping_world())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run)
        for number in range(count):
            keeper.observe(a_report(number))
        keeper.observe(a_report(outcome=COMPLETED))
        await keeper.close()
        tasks.cancel_scope.cancel()
    return [each for write in store.writes for each in write]


@pytest.mark.jumping
async def test_failures_are_kept_together() -> None:
    store = FakeStore()

    found = await kept(store, count=BATCH + 1)

    assert [each.message_id for each in found] == [f"m{number}" for number in range(BATCH + 1)]
    assert [len(write) for write in store.writes] == [BATCH, 1]
    assert (found[0].container, found[0].log) == ("arn:task", "s")
    assert (found[0].how, found[0].tail) == ("exit code 1", "first\nlast words\n")
    assert store.forgot == 1


@pytest.mark.jumping
async def test_no_output_is_kept_where_none_is_wanted() -> None:
    (found,) = await kept(FakeStore(), count=1, output=False)

    assert found.tail == ""


@pytest.mark.jumping
async def test_store_that_is_away_is_tried_again() -> None:
    found = await kept(FakeStore(refusals=2), count=3)

    assert [each.message_id for each in found] == ["m0", "m1", "m2"]


@pytest.mark.jumping
async def test_failure_that_the_store_refuses_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = await kept(FakeStore(unfit="m7"), count=BATCH + 1)

    assert [each.message_id for each in found] == [f"m{n}" for n in range(BATCH + 1) if n != 7]
    assert caplog.messages == ["failure not kept"]


@pytest.mark.jumping
async def test_end_waits_four_seconds_for_a_store_that_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = anyio.current_time()

    found = await kept(FakeStore(refusals=1000), count=3)

    assert found == []
    assert anyio.current_time() - began == pytest.approx(4, abs=0.1)
    assert [each.count for each in caplog.records if each.msg == "failures not kept"] == [3]  # type: ignore[attr-defined]  # an extra of the line


async def test_oldest_go_when_too_many_wait() -> None:
    keeper = FailureKeeper(FakeStore(), {})
    for number in range(MOST_WAITING + 2):
        keeper.observe(a_report(number))

    assert keeper.waiting == MOST_WAITING


@pytest.mark.jumping
async def test_oldest_that_are_not_written_yet_go_when_too_many_come_during_a_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeStore()
    keeper = FailureKeeper(store, {}, world=a_jumping_world())
    for number in range(MOST_WAITING):
        keeper.observe(a_report(number))

    def two_more_come() -> None:
        for number in (MOST_WAITING, MOST_WAITING + 1):
            keeper.observe(a_report(number))

    store.during = two_more_come
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run)
        await keeper.close()

    found = [each.message_id for write in store.writes for each in write]
    lost = {BATCH, BATCH + 1}
    assert found == [f"m{number}" for number in range(MOST_WAITING + 2) if number not in lost]
    assert [vars(each)["count"] for each in caplog.records] == [2]
