"""A record of millions of tasks: how its questions and pages are answered, and what it weighs.

    python -m tests.benchmarks.scale [--database sqlite] [--tasks 200000 2000000] [--calls 20]

Makes up a year of tasks, with six states each, once for each number of tasks: in a PostgreSQL
server of this machine's own, on loopback with fsync off, or in files of SQLite. Asks every question
of each in turn, as the service asks it. Two million tasks need 15 GB of disk, and ten minutes.
"""

import argparse
import asyncio
import contextlib
import functools
import itertools
import math
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import psycopg

from examples.record.lives import lives
from tests.benchmarks import console
from tests.support.databases import a_record
from tests.support.many_tasks import Many, fill
from tests.support.postgres import running_postgres
from watchbot.pages.site import holders, site
from watchbot.record import answers, retention, summaries
from watchbot.record.answers import Filters
from watchbot.record.api import Api
from watchbot.record.event import read_task
from watchbot.record.page import RecordPages
from watchbot.record.paging import Page
from watchbot.record.reconcile import UNLEARNED
from watchbot.record.writer import write
from watchbot.sql.database import Database
from watchbot.web import serving_app

YEAR_S = 365 * 86_400
RUNNING = 1000
ENOUGH_S = 10  # of one question to one record
LETTERS = 1000  # that are dead, for the pages of the console

Asked = Callable[[], Awaitable[object]]


def questions(database: Database, task: str) -> dict[str, Asked]:
    """What is asked, by name."""
    now, day = datetime.now(UTC), timedelta(days=1)
    middle, week, year = now - 180 * day, now - 7 * day, now - 365 * day
    quiet = (middle, middle + day / 144)
    common, family = Filters(started_by="watchbot-schedule"), Filters(family="family-7")
    rare, drawn = Filters(started_by="nobody"), Page(size=400)
    ask = functools.partial
    return {
        "running": ask(answers.running, database),
        "running, of the caller that started all": ask(answers.running, database, common),
        "running, of a family": ask(answers.running, database, family),
        "count of running": ask(answers.count_running, database),
        "at a time": ask(answers.at, database, middle),
        "at a time, of the caller that started all": ask(answers.at, database, middle, common),
        "at a time, of a family": ask(answers.at, database, middle, family),
        "at a time, of somebody who started none": ask(answers.at, database, middle, rare),
        "timeline of a day": ask(answers.between, database, (middle, middle + day), page=drawn),
        "timeline of ten minutes": ask(answers.between, database, quiet, page=drawn),
        "timeline of ten minutes, of the caller that started all": ask(
            answers.between, database, quiet, common, drawn
        ),
        "timeline of a day, of a family": ask(
            answers.between, database, (middle, middle + day), family, drawn
        ),
        "failures of 7 days": ask(answers.failures, database, week),
        "failures of 7 days, of the caller that started all": ask(
            answers.failures, database, week, "day", common
        ),
        "failures of 7 days, by hour": ask(answers.failures, database, week, "hour"),
        "failures of a year": ask(answers.failures, database, year),
        "failures of a year, by family": ask(answers.failures, database, year, "family"),
        "failures of a year, by hour": ask(answers.failures, database, year, "hour"),
        "failed tasks of 7 days": ask(answers.failed, database, week),
        "history of a task": ask(answers.history, database, task),
        "missed": ask(answers.missed, database),
        "definitions to learn": ask(database.fetch, UNLEARNED),
    }


def pages(client: aiohttp.ClientSession, address: str, task: str) -> dict[str, Asked]:
    """The pages of `watchbot record`, by their paths."""

    async def get(path: str) -> None:
        async with client.get(address + path) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    paths = {
        "/": "/",
        "/timeline": "/timeline",
        "/timeline?since=7d": "/timeline?since=7d",
        "/failures": "/failures",
        "/failures?since=365d": "/failures?since=365d",
        "/failures?since=365d&by=family": "/failures?since=365d&by=family",
        "/tasks/ID": f"/tasks/{task}",
        "/v1/tasks/at/180d": "/v1/tasks/at/180d",
    }
    return {name: functools.partial(get, path) for name, path in paths.items()}


async def report(records: Mapping[int, str], calls: int) -> None:
    """Prints p50 and p95 of each question and page of each record, by its number of tasks."""
    async with contextlib.AsyncExitStack() as house:
        asked: dict[str, dict[int, Asked]] = defaultdict(dict)
        client = await house.enter_async_context(aiohttp.ClientSession())
        for tasks, url in records.items():
            database = await house.enter_async_context(a_record(url))
            (row,) = await database.fetch(
                f"SELECT task_id FROM ecs_task ORDER BY started_at LIMIT 1 OFFSET {tasks // 2}"
            )
            routes = [*RecordPages(database).routes(), *Api(database).routes()]
            app = site(routes, host="127.0.0.1", visitors=holders(None))
            address = await house.enter_async_context(serving_app(app, "127.0.0.1", 0, "port"))
            name = row["task_id"]
            for what, ask in (questions(database, name) | pages(client, address, name)).items():
                asked[what][tasks] = ask
        say(f"| p50 / p95 in ms | {' | '.join(f'{tasks:,} tasks' for tasks in records)} |")
        say("|---" * (1 + len(records)) + "|")
        for what, of in asked.items():
            times = await _times_ms(of, calls)
            say(f"| {what} | {' | '.join(_shown(times[tasks]) for tasks in records)} |")


async def _times_ms(asked: Mapping[int, Asked], calls: int) -> Mapping[int, list[float]]:
    times: dict[int, list[float]] = defaultdict(list)
    for _, (tasks, ask) in itertools.product(range(calls), asked.items()):
        if sum(times[tasks]) < 1000 * ENOUGH_S:
            began = time.perf_counter()
            await ask()
            times[tasks].append(1000 * (time.perf_counter() - began))
    return times


def _shown(times_ms: Sequence[float]) -> str:
    p95 = sorted(times_ms)[math.ceil(len(times_ms) * 0.95) - 1]
    return f"{statistics.median(times_ms):.1f} / {p95:.1f}"


async def weigh(url: str) -> None:
    """Prints the size, the rate of one writer, and the deletes of retention."""
    async with a_record(url) as database:
        if database.dialect.name == "postgres":
            for row in await database.fetch(
                "SELECT relname, pg_total_relation_size(oid) / 1000000 AS mb, "
                "reltuples::bigint AS n FROM pg_class WHERE relname IN "
                "('ecs_task', 'ecs_task_event', 'ecs_task_day', 'ecs_task_gap') ORDER BY 1"
            ):
                say(f"{row['relname']}: {row['n']:,} rows, {row['mb']:,} MB with its indexes")
        say(f"one writer: {await ingest_rate(database):,.0f} events a second")
        began = time.perf_counter()
        await summaries.tidy(database)
        say(f"its counts added together in {time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        month = datetime.now(UTC) - timedelta(days=335)
        rows = await retention.forget_tasks(database, month)
        say(f"retention: {rows:,} tasks deleted in {time.perf_counter() - began:.1f} s")


async def ingest_rate(database: Database) -> float:
    """Events a second that one writer stores, a hundred at once."""
    made = lives(1000, hours=24, end=datetime.now(UTC))
    states = [
        read_task(event["detail"], source="event", event_time=event["time"])
        for life in made
        for event in life.events
    ]
    began = time.perf_counter()
    for first in range(0, len(states), 100):
        await write(database, states[first : first + 100])
    return len(states) / (time.perf_counter() - began)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def places(kind: str) -> Iterator[Callable[[int], str]]:
    """Gives the URL of an empty database for a number of tasks."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="watchbot-scale-") as folder:
            yield lambda tasks: f"sqlite:///{folder}/{tasks}.db"
    else:
        with running_postgres() as server:
            yield lambda _: server.new_database()


def tidied(url: str) -> None:
    """Does what a recorder does each minute, and autovacuum now and then."""

    async def tidy() -> None:
        async with a_record(url) as database:
            await summaries.tidy(database)

    asyncio.run(tidy())
    if url.startswith("postgres"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ecs_task_day, ecs_task_gap")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--tasks", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--history", type=int, default=6)
    parser.add_argument("--calls", type=int, default=20)
    asked = parser.parse_args()
    with places(asked.database) as place:
        records = {tasks: place(tasks) for tasks in asked.tasks}
        for tasks, url in records.items():
            tidied(url)
            began = time.perf_counter()
            many = Many(tasks=tasks, step_s=YEAR_S / tasks, history=asked.history, running=RUNNING)
            fill(url, many, functools.partial(tidied, url))
            say(f"filled {tasks:,} tasks in {time.perf_counter() - began:.0f} s")
        asyncio.run(report(records, asked.calls))
        largest = max(records)
        say(f"the console, and a record of {largest:,} tasks:")
        for line in console.measure(records[largest], LETTERS):
            sys.stdout.write(line)
        asyncio.run(weigh(records[largest]))


if __name__ == "__main__":
    main()
