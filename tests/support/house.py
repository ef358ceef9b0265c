"""A house of the scheduler for tests: a store of any kind, two replicas, a clock in our hands."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.support.cloud import REGION
from watchbot.aws import open_client
from watchbot.schedule.job.job import Job
from watchbot.schedule.store.dynamodb.jobs import job_key
from watchbot.schedule.store.dynamodb.store import TableStore
from watchbot.schedule.store.dynamodb.table import StoreTable
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import LeasedRun
from watchbot.schedule.store.sql.store import COMPONENT, PACKAGE, SqlStore
from watchbot.schedule.store.store import Ledger, Store
from watchbot.settings.base import AwsEndpoint
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEPT = timedelta(days=30)


class Clock:
    """The store's clock, in our hands."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    async def __call__(self, *_: Any) -> datetime:
        return self.moment

    def on(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Rows(Protocol):
    """Reads stored rows directly, without the store."""

    async def runs(self) -> list[dict[str, Any]]:
        """All runs, by job and time."""
        ...

    async def write_fields(self, job_id: str, fields: str) -> None:
        """Gives a job other fields."""
        ...

    async def write_job_of_runs(self, job: str) -> None:
        """Gives all runs another job."""
        ...

    async def note(self, job_id: str) -> str:
        """What is noted of a job."""
        ...


class House:
    """A store with its clock, its jobs, and two replicas."""

    def __init__(self, store: Store, clock: Clock, rows: Rows) -> None:
        self.store, self.clock, self.rows = store, clock, rows
        self.jobs = store.jobs
        self.one, self.two = store.ledger("one"), store.ledger("two")

    async def plan(self) -> Planned:
        return await self.store.plan()

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.rows.runs()]

    async def take(self, replica: Ledger, most: int = 10) -> list[LeasedRun]:
        runs, _ = await replica.take(most)
        return runs


@contextlib.asynccontextmanager
async def a_house(place: str, *jobs: Job) -> AsyncIterator[House]:
    """A house with these jobs, at the URL of a database, or of a table: `http://SERVER/TABLE`."""
    opened = _in_table(place) if place.startswith("http") else _in_database(place)
    async with opened as house:
        for job in jobs:
            await house.jobs.add(job)
        yield house


def a_job(job_id: str = "j", schedule: str = "* * * * *", **fields: Any) -> Job:
    return Job.model_validate({"id": job_id, "schedule": schedule, "dialect": "cron", **fields})


@contextlib.asynccontextmanager
async def _in_database(url: str) -> AsyncIterator[House]:
    clock = Clock()
    async with open_database(url) as database:
        await migrate(database, COMPONENT, PACKAGE)
        yield House(SqlStore(database, clock, KEPT), clock, SqlRows(database))


@contextlib.asynccontextmanager
async def _in_table(place: str) -> AsyncIterator[House]:
    clock, url = Clock(), urlsplit(place)
    aws = AwsEndpoint(region=REGION, endpoint_url=f"http://{url.netloc}")
    async with open_client("dynamodb", aws, attempts=1, connections=30) as client:
        table = StoreTable(client, url.path.strip("/"), lambda _: None)
        await table.prepare()
        yield House(TableStore(table, clock, KEPT), clock, TableRows(table))


class SqlRows:
    """Rows of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def runs(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM schedule_run ORDER BY job_id, due_at")

    async def write_fields(self, job_id: str, fields: str) -> None:
        await self._write("UPDATE schedule_job SET fields = :text WHERE id = :id", fields, job_id)

    async def write_job_of_runs(self, job: str) -> None:
        await self._write("UPDATE schedule_run SET job = :text", job)

    async def note(self, job_id: str) -> str:
        (job,) = await self.database.fetch(
            "SELECT note FROM schedule_job WHERE id = :id", id=job_id
        )
        return str(job["note"])

    async def _write(self, sql: str, text: str, job_id: str = "") -> None:
        async with self.database.transaction() as transaction:
            await transaction.execute(sql, text=text, id=job_id)


class TableRows:
    """Items of a table; what a run does not have is None."""

    def __init__(self, table: StoreTable) -> None:
        self.table = table

    async def runs(self) -> list[dict[str, Any]]:
        pages = [page async for page in self.table.pages("scan")]
        items = [item for page in pages for item in page["Items"] if "due_at" in item]
        runs = [{"outcome": None} | {name: _plain(item[name]) for name in item} for item in items]
        return sorted(runs, key=lambda run: (run["job_id"], run["due_at"]))

    async def write_fields(self, job_id: str, fields: str) -> None:
        await self.table.update(job_key(job_id), "SET #fields = :fields", fields=fields)

    async def write_job_of_runs(self, job: str) -> None:
        for run in await self.runs():
            key = {"pk": run["pk"], "sk": run["sk"]}
            await self.table.update(key, "SET #job = :job", job=job)

    async def note(self, job_id: str) -> str:
        return str((await self.table.get(**job_key(job_id)))["note"])


def _plain(value: dict[str, Any]) -> Any:
    return next(iter(value.values()))
