"""Lists page by page, each behind the last task of the page before."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.databases import a_record
from tests.support.many_tasks import Many, fill
from tests.support.rows_read import rows_read
from tests.support.task_events import an_event, states
from watchbot.errors import UsageError
from watchbot.record import answers
from watchbot.record.answers import ALL, Filters
from watchbot.record.paging import Page
from watchbot.record.writer import write
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row

MORNING = datetime(2026, 11, 21, tzinfo=UTC)
COUNT = 23
BLUE = Filters(cluster="blue")

List = Callable[[Database, Page], Awaitable[list[Row]]]
LISTS: dict[str, List] = {
    "running": lambda db, page: answers.running(db, BLUE, page),
    "at": lambda db, page: answers.at(db, MORNING + timedelta(hours=1), BLUE, page),
    "between": lambda db, page: answers.between(
        db, (MORNING + timedelta(minutes=7), MORNING + timedelta(hours=1)), BLUE, page
    ),
    "failed": lambda db, page: answers.failed(db, MORNING, BLUE, page),
}


async def write_tasks(database: Database, status: str, **more: object) -> None:
    """Three start in each minute of a morning."""
    for number in range(COUNT):
        minute = f"2026-11-21T00:{number // 3:02}:00Z"
        event = an_event(
            1, status, taskArn=f"arn:x:task/blue/{status}{number}", startedAt=minute,
            createdAt=minute, **more,
        )  # fmt: skip
        await write(database, states(event))


@pytest.mark.parametrize("name", LISTS)
async def test_pages_follow_each_other_without_a_gap(url: str, name: str) -> None:
    ask = LISTS[name]
    async with a_record(url) as database:
        await write_tasks(database, "RUNNING")
        ended = {"stoppedAt": "2026-11-21T02:00:00Z", "stopCode": "TaskFailedToStart"}
        await write_tasks(database, "STOPPED", **ended)
        whole = await ask(database, Page())
        found, after = [], None
        while True:
            page = Page(size=5, after=after)
            rows = await ask(database, page)
            found += rows
            after = page.next_after(rows)
            if after is None:
                break
        by_id = await ask(database, Page(size=2, after=whole[3]["task_id"]))

    assert len(whole) >= COUNT
    assert found == whole
    assert by_id == whole[4:6]


async def test_page_behind_a_task_that_nobody_knows(url: str) -> None:
    async with a_record(url) as database:
        for ask in LISTS.values():
            with pytest.raises(UsageError, match="no task 'nobody' is in the record"):
                await ask(database, Page(after="nobody"))


async def test_page_far_back_reads_as_little_as_the_first(url: str) -> None:
    async with a_record(url) as database:
        fill(url, Many(tasks=3000, step_s=600, history=0, running=1500))
        span = (datetime.now(UTC) - timedelta(days=30), datetime.now(UTC))
        (deep,) = await answers.between(database, span, page=Page(number=2500, size=1))
        (running,) = await answers.running(database, page=Page(number=1200, size=1))
        lists: dict[str, tuple[List, str]] = {
            "running": (lambda db, page: answers.running(db, ALL, page), running["task_arn"]),
            "between": (lambda db, page: answers.between(db, span, ALL, page), deep["task_arn"]),
        }

        async def read(ask: List, page: Page) -> int:
            return await rows_read(database, url, lambda db: ask(db, page))

        for name, (ask, arn) in lists.items():
            first = await read(ask, Page(size=10))
            assert await read(ask, Page(size=10, after=arn)) < 2 * first + 100, name


async def test_page_of_a_time_reads_as_little_as_the_first_however_many_ran_before(
    url: str,
) -> None:
    async with a_record(url) as database:
        fill(url, Many(tasks=3000, step_s=600, history=0, running=0))
        then = datetime.now(UTC) - timedelta(days=1)
        lists: dict[str, List] = {
            "at": lambda db, page: answers.at(db, then, ALL, page),
            "between": lambda db, page: answers.between(
                db, (then, then + timedelta(hours=1)), ALL, page
            ),
        }

        async def read(ask: List, page: Page) -> int:
            return await rows_read(database, url, lambda db: ask(db, page))

        for name, ask in lists.items():
            (latest,) = await ask(database, Page(size=1))
            first = await read(ask, Page(size=1))
            second = await read(ask, Page(size=1, after=latest["task_arn"]))
            assert second < 2 * first + 100, name
