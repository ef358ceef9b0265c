"""Keeps the summaries of the record small: counts of days, and marks of missing events.

Triggers of the database write them, see `schema/`. Both stay right without this module: it adds
rows of a day together, and deletes marks of events that came after all.
"""

import json
import logging
from collections import Counter

import anyio

from watchbot.errors import DatabaseError
from watchbot.sql.database import Database

EVERY_S = 60
AT_ONCE = 10_000  # rows of one transaction

_COUNTED = {  # the columns of ecs_task_day, with their types in PostgreSQL
    "day": "text",
    "cluster": "text",
    "family": "text",
    "ended": "bigint",
    "failed": "bigint",
}
_TAKE = (  # in order, so that the rows of one sum come together
    "DELETE FROM ecs_task_day WHERE seq IN (SELECT seq FROM (SELECT seq, day, cluster, family, "
    "max(fresh) OVER (PARTITION BY day, cluster, family) AS changed FROM ecs_task_day "
    "WHERE day IN (SELECT day FROM ecs_task_day WHERE fresh = 1)) AS counted "
    "WHERE changed = 1 ORDER BY day, cluster, family LIMIT :most) "
    f"RETURNING {', '.join(_COUNTED)}"
)
_CLOSED = (
    "DELETE FROM ecs_task_gap AS g WHERE EXISTS (SELECT 1 FROM ecs_task_event e "
    "WHERE e.task_arn = g.task_arn AND e.version = g.version - 1) OR NOT EXISTS "
    "(SELECT 1 FROM ecs_task_event e WHERE e.task_arn = g.task_arn AND e.version = g.version)"
)

log = logging.getLogger(__name__)


async def tidy_for_ever(database: Database) -> None:
    """Tidies every minute; logs a database that is down, and tries again."""
    while True:
        try:
            await tidy(database)
        except DatabaseError as error:
            log.warning("summaries not tidied", extra={"reason": error.text})
        await anyio.sleep(EVERY_S)  # until there is enough to add together


async def tidy(database: Database) -> None:
    """Adds counts of a day together, and deletes the marks of gaps that are closed or forgotten.

    Raises `DatabaseError`.
    """
    while await _add_up(database) == AT_ONCE:
        pass
    async with database.transaction() as transaction:
        await transaction.execute(_CLOSED)


async def _add_up(database: Database) -> int:
    """Replaces rows by their sums; returns how many."""
    ended, failed = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    async with database.transaction() as transaction:
        # Another recorder may be at it, too: each sums up the rows that it has deleted itself.
        rows = await transaction.fetch(_TAKE, most=AT_ONCE)
        for row in rows:
            key = (row["day"], row["cluster"], row["family"])
            ended[key] += row["ended"]
            failed[key] += row["failed"]
        sums = [
            dict(zip(_COUNTED, (*key, count, failed[key]), strict=True))
            for key, count in ended.items()
            if count or failed[key]
        ]
        if sums:
            names = ", ".join(_COUNTED)
            await transaction.execute(
                f"INSERT INTO ecs_task_day ({names}, fresh) "
                f"SELECT {names}, 0 FROM {database.dialect.as_table(_COUNTED)}",
                rows=json.dumps(sums),
            )
    return len(rows)
