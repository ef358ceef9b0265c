"""Reads the record of ECS tasks for the pages, from the database of `watchbot record`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio

from watchbot.console.in_time import in_time
from watchbot.console.needs import FailedTasks
from watchbot.record import answers
from watchbot.record.answers import History
from watchbot.record.paging import Page
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.sql.database import Database, open_database
from watchbot.sql.dialect import Row
from watchbot.sql.migrate import verify

DAY = timedelta(days=1)
AT_ONCE = 4  # questions
SHOWN = 100  # tasks of each list

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLists:
    """The tasks that run, and those that failed in the last day, the latest first."""

    running: Sequence[Row]
    failed: Sequence[Row]


class Recorded:
    """The record at `url`. Each call opens it, so that a database may come and go.

    Each call raises `DatabaseError`.
    """

    def __init__(self, url: str) -> None:
        self._url, self._few = url, anyio.CapacityLimiter(AT_ONCE)

    async def failing(self) -> Sequence[FailedTasks]:
        """The families with failed tasks in the last day, the worst first."""
        rows = await self._ask(lambda database: answers.failures(database, _day_ago(), "family"))
        found = [
            FailedTasks(
                family=row["family"] or "no family", failed=row["failed"], ended=row["ended"]
            )
            for row in rows
            if row["failed"]
        ]
        return sorted(found, key=lambda each: each.failed, reverse=True)

    async def lists(self) -> TaskLists:
        """What the page of tasks lists."""
        page = Page(size=SHOWN)

        async def lists(database: Database) -> TaskLists:
            return TaskLists(
                running=await answers.running(database, page=page),
                failed=await answers.failed(database, _day_ago(), page=page),
            )

        return await self._ask(lists)

    async def task(self, name: str) -> History | None:
        """The history of the task with this id or ARN; None if the record does not know it."""
        return await self._ask(lambda database: answers.history(database, name))

    async def _ask(self, question: Callable[[Database], Awaitable[Found]]) -> Found:
        with in_time("--record"):
            async with (
                self._few,
                open_database(self._url, connections=1, create=False, option="record") as database,
            ):
                await verify(database, COMPONENT, PACKAGE)
                return await question(database)


def _day_ago() -> datetime:
    return datetime.now(UTC) - DAY
