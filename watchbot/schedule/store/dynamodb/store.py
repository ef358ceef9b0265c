"""Opens a DynamoDB table as a store of jobs and runs."""

import functools
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from watchbot.aws import open_client
from watchbot.moment import seconds_until, to_time
from watchbot.schedule.store.dynamodb import plan
from watchbot.schedule.store.dynamodb.clock import Now, ServerClock
from watchbot.schedule.store.dynamodb.jobs import TableJobs
from watchbot.schedule.store.dynamodb.ledger import TableLedger
from watchbot.schedule.store.dynamodb.runs import TableRuns
from watchbot.schedule.store.dynamodb.setback import plan_anew
from watchbot.schedule.store.dynamodb.table import StoreTable
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.setback import ClockWatch
from watchbot.settings.base import AwsEndpoint
from watchbot.task_record import NoTaskRecord

# Replicas look at different moments: the first one plans, and the others find nothing to do. Else,
# without locks, each replica would write the due runs, and DynamoDB would refuse most writes.
SPREAD_S = 0.1

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_table(
    name: str, aws: AwsEndpoint, connections: int, days: float
) -> AsyncIterator["TableStore"]:
    """Opens the table with this name as a store; creates the table if it does not exist."""
    clock = ServerClock()
    async with open_client("dynamodb", aws, attempts=1, connections=connections) as client:
        table = StoreTable(client, name, clock.told)
        if await table.prepare():
            log.info("table made", extra={"table": name})
        yield TableStore(table, clock.now, timedelta(days=days))


class TableStore:
    """A table as a store; `now` is its clock, and it keeps finished runs for `kept`."""

    def __init__(self, table: StoreTable, now: Now, kept: timedelta) -> None:
        self._table, self._now, self._kept = table, now, kept
        self.shown_url = table.shown_url
        self.jobs = jobs = TableJobs(table, now, kept)
        self.runs = TableRuns(table, jobs, now, kept)
        self.record = NoTaskRecord()
        self.ledger = functools.partial(TableLedger, table, jobs, now, kept)
        self._clock = ClockWatch(functools.partial(plan_anew, table))

    async def now(self) -> datetime:
        return await self._now()

    async def look_at_clock(self) -> timedelta | None:
        return await self._clock.look(await self._now())

    async def plan(self) -> Planned:
        return await plan.plan(self._table, await self._now(), self._kept)

    async def seconds_to_plan(self, most: float) -> float:
        at = await self._table.next("plan")
        seconds = seconds_until(to_time(at) if at else None, await self._now(), most)
        return seconds + random.uniform(0, SPREAD_S)
