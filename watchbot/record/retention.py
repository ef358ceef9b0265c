"""Deletes old history, a little at a time, so that writers hardly wait."""

import json
import logging
from datetime import UTC, datetime, timedelta

import anyio

from watchbot.errors import DatabaseError
from watchbot.moment import to_text
from watchbot.sql.database import Database

EVERY_S = 3600
AT_ONCE = 1000  # rows of one transaction
PAUSE_S = 0.05  # between two deletes, for writers

_KEYS = {  # tables of the history, and their keys; a task's newest state stays in ecs_task
    "ecs_task_event": "task_arn, version",
    "ecs_event": "event_id",
    "ecs_event_reject": "message_id",
}
ENDED_BEFORE = (  # in the order of an index, which is read from its oldest end
    "SELECT task_arn FROM ecs_task WHERE coalesce(stopped_at, gone_at) < :before "
    "ORDER BY coalesce(stopped_at, gone_at) LIMIT :most"
)
_OF_A_TASK = ("ecs_task_event", "ecs_task_container", "ecs_container_stop", "ecs_task")

log = logging.getLogger(__name__)


async def forget_for_ever(
    database: Database, days: float | None, task_days: float | None = None
) -> None:
    """Deletes, every hour, the history received more than `days` ago.

    Deletes the tasks, too, that ended more than `task_days` ago. None keeps everything.
    """
    while True:
        now = datetime.now(UTC)
        try:
            if days is not None:
                rows = await forget(database, now - timedelta(days=days))
                log.info("history forgotten", extra={"rows": rows})
            if task_days is not None:
                rows = await forget_tasks(database, now - timedelta(days=task_days))
                log.info("tasks forgotten", extra={"tasks": rows})
        except DatabaseError as error:
            log.warning("history not forgotten", extra={"reason": error.text})
        await anyio.sleep(EVERY_S)


async def forget(database: Database, before: datetime) -> int:
    """Deletes the history received before `before`; returns the number of rows.

    Raises `DatabaseError`.
    """
    deleted = 0
    for table, key in _KEYS.items():
        while count := await _forget_some(database, table, key, before):
            deleted += count
            await anyio.sleep(PAUSE_S)
    return deleted


async def forget_tasks(database: Database, before: datetime) -> int:
    """Deletes the tasks that ended before `before`, and all that is known of them.

    Returns the number of tasks. Raises `DatabaseError`.
    """
    deleted = 0
    while count := await _forget_some_tasks(database, before):
        deleted += count
        await anyio.sleep(PAUSE_S)
    return deleted


async def _forget_some_tasks(database: Database, before: datetime) -> int:
    dialect = database.dialect
    async with database.transaction() as transaction:
        # Another recorder may be at it, too: each leaves out what the other holds.
        tasks = await transaction.fetch(
            f"{ENDED_BEFORE} {dialect.lock_free}", before=to_text(before), most=AT_ONCE
        )
        if tasks:
            chosen = f"(SELECT task_arn FROM {dialect.as_table({'task_arn': 'text'})})"
            for table in _OF_A_TASK:
                await transaction.execute(
                    f"DELETE FROM {table} WHERE task_arn IN {chosen}", rows=json.dumps(tasks)
                )
    return len(tasks)


async def _forget_some(database: Database, table: str, key: str, before: datetime) -> int:
    async with database.transaction() as transaction:
        return await transaction.execute(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} "
            f"WHERE received_at < :before LIMIT {AT_ONCE})",
            before=to_text(before),
        )
