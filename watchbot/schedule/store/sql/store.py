"""Opens a SQLite or PostgreSQL database as a store of jobs and runs."""

import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.setback import ClockWatch
from watchbot.schedule.store.sql import plan
from watchbot.schedule.store.sql.clock import Now, database_clock
from watchbot.schedule.store.sql.jobs import SqlJobs
from watchbot.schedule.store.sql.ledger import SqlLedger
from watchbot.schedule.store.sql.runs import SqlRuns
from watchbot.schedule.store.sql.setback import plan_anew
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.task_record import SqlTaskRecord

COMPONENT, PACKAGE = "schedule", "watchbot.schedule.store.sql"  # of the tables
MOST_CONNECTIONS = 20

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_sql(url: str, connections: int, days: float) -> AsyncIterator["SqlStore"]:
    """Opens the database at this URL as a store, and migrates its tables."""
    most = min(connections, MOST_CONNECTIONS)
    async with open_database(url, connections=most) as database:
        for name in await migrate(database, COMPONENT, PACKAGE):
            log.info("tables changed", extra={"migration": name})
        yield SqlStore(database, database_clock(database), timedelta(days=days))


class SqlStore:
    """A database as a store; `now` is its clock, and it keeps finished runs for `kept`."""

    def __init__(self, database: Database, now: Now, kept: timedelta) -> None:
        self._database, self._now = database, now
        self.shown_url = database.shown_url
        self.jobs = SqlJobs(database, now)
        self.runs = SqlRuns(database, now, kept)
        self.record = SqlTaskRecord(database)
        self.ledger = functools.partial(SqlLedger, database, now)
        self._clock = ClockWatch(functools.partial(plan_anew, database))

    async def now(self) -> datetime:
        return await self._now(self._database)

    async def look_at_clock(self) -> timedelta | None:
        return await self._clock.look(await self._now(self._database))

    async def plan(self) -> Planned:
        return await plan.plan(self._database, self._now)

    async def seconds_to_plan(self, most: float) -> float:
        return await plan.seconds_to_next(self._database, self._now, most)
