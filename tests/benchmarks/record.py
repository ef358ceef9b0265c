"""`watchbot record`: how fast it writes events, and how fast it answers with many tasks.

A shuffled stream with 20 % duplicates goes from a queue in memory through the whole service into
a database; then every task must be in its last version, and the outcomes those that were made up.
"""

import json
import logging
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
import psycopg

from examples.record.lives import SIDECARS, Life, lives
from tests.support.databases import a_record
from tests.support.postgres import running_postgres
from watchbot import lifecycle
from watchbot.lifecycle import Stop
from watchbot.moment import to_text
from watchbot.record import answers
from watchbot.record.answers import Filters
from watchbot.record.event import read_task
from watchbot.record.paging import Page
from watchbot.record.service import Recorder
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.record.writer import learn_definition, write
from watchbot.settings.record import RecordSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.sqs.memory import MemoryQueue

CONSUMERS = 8
HOURS = 30 * 24
CALLS = 9


def ingest_rates(tasks: int) -> dict[str, float]:
    """Events per second, by database. Raises `AssertionError` when a task is not in its state."""
    rates: dict[str, float] = {}

    async def run(_: Stop) -> int:
        with tempfile.TemporaryDirectory() as folder:
            rates["SQLite"] = await _ingest_rate(f"sqlite:///{folder}/ecs.db", tasks)
        with running_postgres() as server:
            rates["PostgreSQL"] = await _ingest_rate(server.new_database(), tasks)
        return 0

    logging.disable(logging.WARNING)
    lifecycle.run(run)
    return rates


def answer_times_ms(tasks: int) -> dict[str, list[float]]:
    """The time of each answer with `count` tasks in PostgreSQL, by question."""
    times: dict[str, list[float]] = {}

    async def run(_: Stop) -> int:
        with running_postgres() as server:
            url = server.new_database()
            async with a_record(url) as database:
                arn = await fill(database, tasks)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")  # as autovacuum does within minutes
                for name, question in _questions(database, arn).items():
                    times[name] = [took_ms async for took_ms in _asked(question)]
        return 0

    lifecycle.run(run)
    return times


async def _asked(question: Callable[[], Awaitable[object]]) -> AsyncIterator[float]:
    for _call in range(CALLS):
        began = time.perf_counter()
        await question()
        yield 1000 * (time.perf_counter() - began)


def _made_up(count: int) -> tuple[list[Life], list[str]]:
    """Lives, and the deliveries of their events: shuffled, every fifth of them a second one."""
    all_lives = list(lives(count, hours=72, end=datetime.now(UTC)))
    bodies = [json.dumps(event) for life in all_lives for event in life.events]
    chance = random.Random(7)
    bodies += chance.sample(bodies, len(bodies) // 4)
    chance.shuffle(bodies)
    return all_lives, bodies


async def _ingest_rate(url: str, tasks: int) -> float:
    all_lives, bodies = _made_up(tasks)
    queue = MemoryQueue()
    for body in bodies:
        queue.send(body)
    settings = RecordSettings(
        queue_url="http://in.memory/queue", concurrency=CONSUMERS, exit_when_empty=True, poll_wait=1
    )
    async with open_database(url, connections=CONSUMERS) as database:
        await migrate(database, COMPONENT, PACKAGE)
        recorder = Recorder(settings, queue, database)
        began = time.perf_counter()
        async with anyio.create_task_group() as recording:
            recording.start_soon(recorder.run, Stop())
            while (await queue.facts())["ApproximateNumberOfMessages"] != "0" or (
                await queue.facts()
            )["ApproximateNumberOfMessagesNotVisible"] != "0":
                await anyio.sleep(0.02)  # a queue announces nothing
            took_s = time.perf_counter() - began
        assert await _wrong_versions(database, all_lives) == 0
        await _learn_all(database, all_lives)
        assert await _wrong_outcomes(database, all_lives) == 0
    return len(bodies) / took_s


async def _learn_all(database: Database, all_lives: list[Life]) -> None:
    """Tells which containers are essential, as DescribeTaskDefinition would."""
    definitions = {
        life.events[0]["detail"]["taskDefinitionArn"]: [
            container["name"] for container in life.events[0]["detail"]["containers"]
        ]
        for life in all_lives
        if life.events
    }
    for arn, names in definitions.items():
        await learn_definition(database, arn, {name: name not in SIDECARS for name in names})


async def _wrong_versions(database: Database, all_lives: list[Life]) -> int:
    rows = await database.fetch("SELECT task_arn, version FROM ecs_task")
    found = {row["task_arn"]: row["version"] for row in rows}
    truth = {life.arn: len(life.events) for life in all_lives if life.events}
    assert found.keys() == truth.keys()
    return sum(found[arn] != version for arn, version in truth.items())


async def _wrong_outcomes(database: Database, all_lives: list[Life]) -> int:
    rows = await database.fetch("SELECT task_arn, outcome FROM ecs_task_outcome")
    found = {row["task_arn"]: row["outcome"] for row in rows}
    return sum(found[life.arn] != life.outcome for life in all_lives if life.events)


async def fill(database: Database, count: int) -> str:
    """Stores the last state of `count` invented tasks; returns the ARN of one."""
    now = datetime.now(UTC)
    made = (life for life in lives(count, hours=HOURS, end=now) if life.events)
    batch, arn = [], ""
    for life in made:
        arn = life.arn
        batch.append(read_task(life.events[-1]["detail"], source="event", event_time=to_text(now)))
        if len(batch) == 1000:
            await write(database, batch)
            batch.clear()
    await write(database, batch)
    return arn


def _questions(database: Database, arn: str) -> dict[str, Callable[[], Awaitable[object]]]:
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
