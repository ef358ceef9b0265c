"""How fast the record answers with 100,000 tasks in PostgreSQL: python -m tests.benchmarks.answers

Prints, for each answer, the median and the worst of several calls.
"""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg

from examples.record.lives import lives
from tests.databases import a_record
from tests.postgres import running_postgres
from watchbot import lifecycle
from watchbot.lifecycle import Stop
from watchbot.record import answers
from watchbot.record.answers import Filters, Page
from watchbot.record.event import read_task
from watchbot.record.store import store
from watchbot.sql.database import Database, to_text

TASKS = 100_000
HOURS = 30 * 24
CALLS = 9


async def fill(database: Database, count: int) -> str:
    """Stores the last state of so many made-up tasks; the ARN of one."""
    now = datetime.now(UTC)
    made = (life for life in lives(count, hours=HOURS, end=now) if life.events)
    batch, arn = [], ""
    for life in made:
        arn = life.arn
        batch.append(read_task(life.events[-1]["detail"], source="event", event_time=to_text(now)))
        if len(batch) == 1000:
            await store(database, batch)
            batch.clear()
    await store(database, batch)
    return arn


def questions(database: Database, arn: str) -> dict[str, Callable[[], Awaitable[object]]]:
    now = datetime.now(UTC)
    month, middle = now - timedelta(hours=HOURS), now - timedelta(hours=HOURS / 2)
    day = timedelta(days=1)
    return {
        "running": lambda: answers.running(database),
        "running, of a family": lambda: answers.running(database, Filters(family="train-model")),
        "count of running": lambda: answers.count_running(database),
        "at a time": lambda: answers.at(database, middle),
        "at a time, page 3": lambda: answers.at(database, middle, page=Page(number=2)),
        "timeline of a day": lambda: answers.between(database, (middle, middle + day)),
        "failures of 7 days": lambda: answers.failures(database, now - 7 * day),
        "failures of 30 days": lambda: answers.failures(database, month),
        "history of a task": lambda: answers.history(database, arn),
    }


async def run(_: Stop) -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TASKS
    with running_postgres() as server:
        url = server.new_database()
        async with a_record(url) as database:
            arn = await fill(database, count)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")  # as autovacuum does within minutes
            for name, question in questions(database, arn).items():
                times_ms = []
                for _call in range(CALLS):
                    began = time.perf_counter()
                    await question()
                    times_ms.append(1000 * (time.perf_counter() - began))
                print(
                    f"answer {name}: median {statistics.median(times_ms):.1f} ms, "
                    f"worst {max(times_ms):.1f} ms ({count:,} tasks)"
                )
    return 0


if __name__ == "__main__":
    lifecycle.run(run)
