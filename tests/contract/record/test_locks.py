"""Recorders that write to one PostgreSQL at once: one may wait for another, never both."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.support.databases import a_record
from tests.support.next_version import earlier_version
from tests.support.postgres import PostgresServer
from tests.support.task_events import an_event, states
from watchbot.record import tables as record
from watchbot.record.event import OtherEvent, read
from watchbot.record.writer import Reject, write
from watchbot.sql.database import Database, Transaction, open_database
from watchbot.sql.migrate import migrate, verify


@asynccontextmanager
async def half_done(
    database: Database, first: str, beside: Callable[[], Awaitable[object]]
) -> AsyncIterator[Transaction]:
    """Another recorder's transaction: it has begun with `first` when `beside` waits or is done."""
    done = anyio.Event()

    async def run() -> None:
        await beside()
        done.set()

    async with anyio.create_task_group() as recorders, database.transaction() as other:
        await other.execute(first)
        recorders.start_soon(run)
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        while not done.is_set() and not await database.fetch(waiting):
            await anyio.sleep(0.01)  # a lock that is waited for announces nothing
        yield other


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE ecs_task_event SET source = source", "UPDATE ecs_task SET source = source"],
        [
            "SELECT task_arn FROM ecs_task FOR UPDATE SKIP LOCKED",
            "DELETE FROM ecs_task_event",
            "DELETE FROM ecs_task",
        ],
    ],
    ids=["writes", "forgets"],
)
async def test_migration_waits_for_an_older_recorder_that_is_half_done(
    postgres: PostgresServer, tmp_path: Path, statements: list[str]
) -> None:
    async with open_database(postgres.new_database()) as database:
        with earlier_version(record.PACKAGE, tmp_path, newest=3) as earlier:
            await migrate(database, record.COMPONENT, earlier)
        await write(database, states(an_event(1)))

        async def upgrade() -> None:
            await migrate(database, record.COMPONENT, record.PACKAGE)

        async with half_done(database, statements[0], upgrade) as older:
            for statement in statements[1:]:
                await older.execute(statement)
        await verify(database, record.COMPONENT, record.PACKAGE)


def others(*ids: str) -> Sequence[OtherEvent]:
    bodies = [
        json.dumps({"id": id, "detail-type": "ECS Service Action", "time": "2026-11-21T03:00:00Z"})
        for id in ids
    ]
    return [event for body in bodies if isinstance(event := read(body, "m"), OtherEvent)]


async def test_batches_with_the_same_events_in_another_order_wait_for_each_other(
    postgres: PostgresServer,
) -> None:
    rejects = [
        Reject(message_id=name, body="?", error="it is not JSON", receive_count=1) for name in "ba"
    ]
    put = {
        "ecs_event": "(event_id, detail_type, event_time, event) VALUES ('{}', 'x', now(), '{{}}')",
        "ecs_event_reject": "(message_id, body, error, receive_count) VALUES ('{}', '?', 'x', 1)",
    }
    async with a_record(postgres.new_database()) as database:
        batches = {
            "ecs_event": lambda: write(database, others=others("b", "a")),
            "ecs_event_reject": lambda: write(database, rejects=rejects),
        }
        for table, batch in batches.items():
            first, second = (f"INSERT INTO {table} {put[table].format(name)}" for name in "ab")
            async with half_done(database, first, batch) as other:
                await other.execute(second)
            assert await database.fetch(f"SELECT count(*) AS n FROM {table}") == [{"n": 2}]
