"""Deletes old history, a little at a time, so that writers hardly wait."""

import logging
from datetime import UTC, datetime, timedelta

import anyio

from watchbot.errors import DatabaseError
from watchbot.moment import to_text
from watchbot.sql.database import Database

EVERY_S = 3600
AT_ONCE = 1000  # rows of one transaction
PAUSE_S = 0.05  # between two deletes, for writers

_KEYS = {  # tables of the history, and their keys; ecs_task keeps each task's newest state
    "ecs_task_event": "task_arn, version",
    "ecs_event": "event_id",
    "ecs_event_reject": "message_id",
}

log = logging.getLogger(__name__)


async def forget_for_ever(database: Database, days: float) -> None:
    """Deletes, every hour, the history received more than `days` ago."""
    while True:
        try:
            rows = await forget(database, datetime.now(UTC) - timedelta(days=days))
            log.info("history forgotten", extra={"rows": rows})
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


async def _forget_some(database: Database, table: str, key: str, before: datetime) -> int:
    async with database.transaction() as transaction:
        return await transaction.execute(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} "
            f"WHERE received_at < :before LIMIT {AT_ONCE})",
            before=to_text(before),
        )
