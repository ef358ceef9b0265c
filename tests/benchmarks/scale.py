"""A record of millions of tasks in PostgreSQL: how its questions are answered, and what it weighs.

    python -m tests.benchmarks.scale [--tasks 2000000] [--history 6] [--calls 20]

The server is this machine's own, on loopback, with fsync off; a statement of SQL makes up the rows,
spread over a year. Every question runs as the service asks it. Two million tasks take some minutes.
"""

import argparse
import asyncio
import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg

from examples.record.lives import lives
from tests.support.databases import a_record
from tests.support.postgres import running_postgres
from watchbot.record import answers, retention
from watchbot.record.answers import Filters, Page
from watchbot.record.event import read_task
from watchbot.record.reconcile import UNLEARNED
from watchbot.record.writer import write
from watchbot.sql.database import Database

FILL_AT_ONCE = 100_000  # tasks of one statement
YEAR_S = 365 * 86_400

_TASKS = """
INSERT INTO ecs_task (task_arn, task_id, cluster_arn, cluster, task_definition_arn, family,
  revision, launch_type, started_by, task_group, last_status, desired_status, stop_code,
  stopped_reason, created_at, started_at, stopped_at, version, source, ended_outcome, detail)
SELECT 'arn:aws:ecs:eu-west-1:123456789012:task/blue/' || md5(n::text), md5(n::text),
  'arn:aws:ecs:eu-west-1:123456789012:cluster/blue', 'blue',
  'arn:aws:ecs:eu-west-1:123456789012:task-definition/family-' || n %% 50 || ':1',
  'family-' || n %% 50, 1, 'FARGATE', 'watchbot-schedule', 'family:family-' || n %% 50,
  CASE WHEN ended THEN 'STOPPED' ELSE 'RUNNING' END, CASE WHEN ended THEN 'STOPPED' END,
  CASE WHEN ended THEN 'EssentialContainerExited' END,
  CASE WHEN ended THEN 'Essential container in task exited' END,
  at - interval '30 s', at, CASE WHEN ended THEN at + lasts END, %(history)s, 'event',
  CASE WHEN ended THEN CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'success' END END,
  jsonb_build_object('taskArn', md5(n::text), 'more', repeat(md5(n::text), 16))
FROM (SELECT n, now() - (%(total)s - n) * %(step)s * interval '1 s' AS at,
    (1 + n %% 60) * interval '1 min' AS lasts, n <= %(total)s - 1000 AS ended
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n) made
"""
_HISTORY = """
INSERT INTO ecs_task_event (task_arn, version, event_time, source, last_status, desired_status,
  received_at, detail)
SELECT 'arn:aws:ecs:eu-west-1:123456789012:task/blue/' || md5(n::text), v, at, 'event', 'RUNNING',
  'RUNNING', at, jsonb_build_object('version', v, 'more', repeat(md5(n::text), 4))
FROM (SELECT n, now() - (%(total)s - n) * %(step)s * interval '1 s' AS at
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n) made,
  generate_series(1, %(history)s) v
"""


def fill(url: str, tasks: int, history: int) -> None:
    """Makes up `tasks` tasks of a year, each with `history` states; the last 1,000 run."""
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(1, tasks + 1, FILL_AT_ONCE):
            values = {
                "first": first,
                "last": min(first + FILL_AT_ONCE - 1, tasks),
                "total": tasks,
                "step": YEAR_S / tasks,
                "history": history,
            }
            connection.execute(_TASKS, values)
            if history:
                connection.execute(_HISTORY, values)
        connection.execute("VACUUM ANALYZE")  # as autovacuum does within minutes


def questions(database: Database) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked, by name."""
    now = datetime.now(UTC)
    day, middle = timedelta(days=1), now - timedelta(days=180)
    week = now - 7 * day
    rare = Filters(started_by="nobody")
    return {
        "running": lambda: answers.running(database),
        "count of running": lambda: answers.count_running(database),
        "at a time": lambda: answers.at(database, middle),
        "at a time, of somebody who started none": lambda: answers.at(database, middle, rare),
        "timeline of a day": lambda: answers.between(
            database, (middle, middle + day), page=Page(size=400)
        ),
        "timeline of a day, of somebody who started none": lambda: answers.between(
            database, (middle, middle + day), rare, Page(size=400)
        ),
        "failures of 7 days": lambda: answers.failures(database, week),
        "failed tasks of 7 days": lambda: answers.failed(database, week),
        "failures of a year": lambda: answers.failures(database, now - 365 * day),
        "missed": lambda: answers.missed(database),
        "definitions to learn": lambda: database.fetch(UNLEARNED),
    }


async def report(url: str, calls: int) -> None:
    """Prints p50 and p95 of each question, the size, and the deletes of retention."""
    async with a_record(url) as database:
        for name, question in questions(database).items():
            times_ms = []
            for _ in range(calls):
                began = time.perf_counter()
                await question()
                times_ms.append(1000 * (time.perf_counter() - began))
                if sum(times_ms) > 10_000:
                    break
            times_ms.sort()
            p95 = times_ms[math.ceil(len(times_ms) * 0.95) - 1]
            say(f"{name}: p50 {statistics.median(times_ms):.1f} ms, p95 {p95:.1f} ms")
        for row in await database.fetch(
            "SELECT relname, pg_total_relation_size(oid) / 1000000 AS mb, reltuples::bigint AS n "
            "FROM pg_class WHERE relname IN ('ecs_task', 'ecs_task_event') ORDER BY 1"
        ):
            say(f"{row['relname']}: {row['n']:,} rows, {row['mb']:,} MB with its indexes")
        say(f"one writer: {await ingest_rate(database):,.0f} events a second")
        began = time.perf_counter()
        month = datetime.now(UTC) - timedelta(days=335)
        rows = await retention.forget_tasks(database, month)
        say(f"retention: {rows:,} rows deleted in {time.perf_counter() - began:.1f} s")


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


async def _prepare(url: str) -> None:
    async with a_record(url):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000_000)
    parser.add_argument("--history", type=int, default=6)
    parser.add_argument("--calls", type=int, default=20)
    asked = parser.parse_args()
    with running_postgres() as server:
        url = server.new_database()
        asyncio.run(_prepare(url))
        began = time.perf_counter()
        fill(url, asked.tasks, asked.history)
        say(f"filled {asked.tasks:,} tasks in {time.perf_counter() - began:.0f} s")
        asyncio.run(report(url, asked.calls))


if __name__ == "__main__":
    main()
