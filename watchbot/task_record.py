"""Answers other services from the record of tasks, which `watchbot record` keeps in SQL.

Its tables are in `watchbot/record/schema/`; nobody else reads them.
"""

import itertools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from watchbot.errors import DatabaseError
from watchbot.moment import to_time
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row
from watchbot.task_outcome import TaskEnd, container_end

LOOK_AGAIN_S = 300  # for tables that were not there

_ENDS = """
SELECT t.task_arn, t.outcome, t.stopped_reason, t.started_at, t.stopped_at,
  c.name, c.exit_code, c.reason
FROM ecs_task_outcome t JOIN {arns} ON b.task_arn = t.task_arn
LEFT JOIN ecs_task_container c ON c.task_arn = t.task_arn AND c.version = t.version
ORDER BY t.task_arn, c.name
"""


class TaskRecord(Protocol):
    """The record of tasks, for those who only read it."""

    async def ends(self, arns: Sequence[str]) -> Mapping[str, TaskEnd]:
        """How these tasks ended, by ARN; a task that the record does not know is left out.

        Raises `DatabaseError`.
        """
        ...


class NoTaskRecord:
    """A record of nothing: for a store that is no SQL database."""

    async def ends(self, arns: Sequence[str]) -> Mapping[str, TaskEnd]:
        return {}


class SqlTaskRecord:
    """The record in this database; one of nothing, as long as the database has no such tables.

    The recorder may start later. `clock` is in seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._look_at = -math.inf  # a look without tables is an error in the database's own log

    async def ends(self, arns: Sequence[str]) -> Mapping[str, TaskEnd]:
        if not arns or self._clock() < self._look_at:
            return {}
        asked = self._database.dialect.as_table({"task_arn": "text"})
        try:
            rows = await self._database.fetch(
                _ENDS.format(arns=asked), rows=json.dumps([{"task_arn": arn} for arn in arns])
            )
        except DatabaseError as error:
            if error.transient:
                raise
            self._look_at = self._clock() + LOOK_AGAIN_S
            return {}
        by_task = itertools.groupby(rows, key=lambda row: row["task_arn"])
        return {arn: _end(list(containers)) for arn, containers in by_task}


def _end(rows: Sequence[Row]) -> TaskEnd:
    """A task, of which there is a row for each container, or one in all."""
    return TaskEnd(
        outcome=rows[0]["outcome"],
        reason=rows[0]["stopped_reason"],
        containers=[
            container_end(row["name"], row["exit_code"], row["reason"])
            for row in rows
            if row["name"]
        ],
        duration_s=_seconds(rows[0]["started_at"], rows[0]["stopped_at"]),
    )


def _seconds(start: str | None, end: str | None) -> float | None:
    return (to_time(end) - to_time(start)).total_seconds() if start and end else None
