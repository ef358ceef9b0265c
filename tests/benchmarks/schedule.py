"""`python -m tests.benchmarks.schedule`: many jobs on PostgreSQL, some due in the same second.

The messages go nowhere, at once: what is measured is planning, leases, and the ledger.
"""

import asyncio
import json
import resource
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import anyio

from tests.support.postgres import running_postgres
from watchbot.aws import Client
from watchbot.lifecycle import Stop
from watchbot.schedule.job.job import Job
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.sql.store import open_sql
from watchbot.settings.schedule import ScheduleSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.dialect import POSTGRES

CASES = ((100, 1_000), (1_000, 10_000), (5_000, 100_000))  # jobs that are due, of so many
AHEAD = timedelta(seconds=5)
TARGET = {"type": "sqs", "queueUrl": "https://nowhere/1/q", "message": "m"}
COLUMNS = {"id": "text", "fields": "text", "at": "timestamptz"}


class Nowhere:
    """AWS that takes everything."""

    async def near(self, service: str, place: str = "") -> Client:
        return cast(Client, self)

    async def call(self, operation: str, **given: Any) -> Any:
        return {"Successful": [{"Id": "0", "MessageId": "m"}]}


async def measure(url: str, due: int, total: int) -> str:
    """Runs one replica until all that is due has started; what came of it."""
    async with open_sql(url, 20, 30) as store, open_database(url) as database:
        await _fill(database, due, total)
        scheduler = Scheduler(ScheduleSettings(), store, cast(Clients, Nowhere()))
        stop = Stop()
        async with anyio.create_task_group() as replica:
            replica.start_soon(scheduler.run, stop)
            while len(lags := await _lags(database)) < due:
                await anyio.sleep(0.2)  # the ledger announces nothing
            stop.ask()
    return f"{due} of {total} due in one second: {_figures(lags)}"


async def _fill(database: Database, due: int, total: int) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + AHEAD
    rows = []
    for number in range(total):
        moment = soon if number < due else soon + timedelta(hours=12)
        schedule = f"{moment:%S %M %H %d %m} *"
        job = Job.model_validate(
            {"id": f"j{number}", "schedule": schedule, "dialect": "cron", "target": TARGET}
        )
        rows.append({"id": job.id, "fields": job.stored(), "at": moment.isoformat()})
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO schedule_job (id, generation, fields, created_at, next_fire_at) "
            f"SELECT id, 1, fields, now(), at FROM {POSTGRES.as_table(COLUMNS)}",
            rows=json.dumps(rows),
        )


async def _lags(database: Database) -> Sequence[float]:
    rows = await database.fetch(
        "SELECT extract(epoch FROM started_at - due_at)::float AS lag FROM schedule_run "
        "WHERE status = 'started' ORDER BY 1"
    )
    return [row["lag"] for row in rows]


def _figures(lags: Sequence[float]) -> str:
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    median, p99 = lags[len(lags) // 2], lags[int(len(lags) * 0.99)]
    return f"lag median {median:.2f} s, p99 {p99:.2f} s, all {lags[-1]:.2f} s; {memory_mb:.0f} MB"


if __name__ == "__main__":
    with running_postgres() as server:
        for due, total in CASES:
            print(asyncio.run(measure(server.new_database(), due, total)))
