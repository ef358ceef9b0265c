"""The questions of the record read an index, not all tasks: so says the database's own plan."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.databases import a_record
from tests.support.task_events import an_event, states
from watchbot.moment import to_text
from watchbot.record import answers
from watchbot.record.reconcile import UNLEARNED
from watchbot.record.retention import ENDED_BEFORE, forget_tasks
from watchbot.record.writer import write
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


class Explaining:
    """A database that gives its plans, as text, instead of answers."""

    def __init__(self, database: Database) -> None:
        self._database, self.plan = database, ""
        self.dialect, self.shown_url = database.dialect, database.shown_url

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        postgres = self.dialect.name == "postgres"
        async with self._database.transaction() as transaction:
            if postgres:  # which would scan so few rows
                await transaction.execute("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
            rows = await transaction.fetch(f"{explain} {sql}", **values)
        self.plan = "\n".join(str(list(row.values())[-1]) for row in rows)
        return []

    def transaction(self) -> Any:
        raise AssertionError("a question writes nothing")


@pytest.mark.parametrize(
    ("question", "indexes"),
    [
        (
            lambda db: db.fetch(ENDED_BEFORE, before=to_text(NOW), most=1),
            {"ecs_task_ended", "ecs_task_run "},
        ),
        (lambda db: db.fetch(UNLEARNED), {"ecs_task_unknown"}),
        (answers.running, {"ecs_task_active", "ecs_task_running_now"}),
        (lambda db: answers.failed(db, NOW), {"ecs_task_failed"}),
        (lambda db: answers.failures(db, NOW), {"ecs_task_stopped"}),
        (lambda db: answers.failures(db, NOW, "family"), {"ecs_task_stopped"}),
    ],
    ids=[
        *("tasks to forget", "definitions to learn", "running", "failed", "failures"),
        "failures by family",
    ],
)
async def test_question_reads_its_index(
    url: str, question: Callable[[Any], Awaitable[object]], indexes: set[str]
) -> None:
    async with a_record(url) as database:
        explaining = Explaining(database)
        await question(explaining)

    assert any(index in explaining.plan for index in indexes), explaining.plan


async def test_tasks_that_ended_long_ago_are_deleted_with_all_that_is_known_of_them(
    url: str,
) -> None:
    tables = ("ecs_task", "ecs_task_event", "ecs_task_container", "ecs_container_stop")
    two = [{"name": name, "lastStatus": "STOPPED"} for name in ("a", "b")]
    ended = (NOW - timedelta(days=10)).isoformat()
    async with a_record(url) as database:
        await write(
            database, states(an_event(1), an_event(2, "STOPPED", stoppedAt=ended, containers=two))
        )
        await write(database, states(an_event(1, taskArn="arn:x/blue/runs")))
        nothing = await forget_tasks(database, NOW - timedelta(days=11))
        deleted = await forget_tasks(database, NOW - timedelta(days=9))
        left = [
            (await database.fetch(f"SELECT count(*) AS n FROM {name}"))[0]["n"] for name in tables
        ]

    assert (nothing, deleted, left) == (0, 1, [1, 1, 1, 0])
