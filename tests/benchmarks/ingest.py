"""How fast `watchbot record` writes: python -m tests.benchmarks.ingest [sqlite] [postgres]

A shuffled stream with 20 % duplicates goes from a queue in memory through the whole service into
a database; then every task must be in its last version, and the outcomes those that were made up.
Prints one line a database.
"""

import json
import logging
import random
import sys
import tempfile
import time
from datetime import UTC, datetime

import anyio

from examples.record.lives import SIDECARS, Life, lives
from tests.postgres import running_postgres
from watchbot import lifecycle
from watchbot.lifecycle import Stop
from watchbot.record.service import COMPONENT, PACKAGE, Recorder
from watchbot.record.store import learn_definition
from watchbot.settings.record import RecordSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.sqs.memory import MemoryQueue

TASKS = 4_000
CONSUMERS = 8


def made_up(count: int) -> tuple[list[Life], list[str]]:
    """Lives, and the deliveries of their events: shuffled, every fifth of them a second one."""
    all_lives = list(lives(count, hours=72, end=datetime.now(UTC)))
    bodies = [json.dumps(event) for life in all_lives for event in life.events]
    chance = random.Random(7)
    bodies += chance.sample(bodies, len(bodies) // 4)
    chance.shuffle(bodies)
    return all_lives, bodies


async def measure(url: str) -> str:
    """The result for one database, as a line."""
    all_lives, bodies = made_up(TASKS)
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
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recorder.run, Stop())
            while (await queue.facts())["ApproximateNumberOfMessages"] != "0" or (
                await queue.facts()
            )["ApproximateNumberOfMessagesNotVisible"] != "0":
                await anyio.sleep(0.02)
            took_s = time.perf_counter() - began
        wrong = await wrong_versions(database, all_lives)
        await learn_all(database, all_lives)
        judged = await wrong_outcomes(database, all_lives)
    rate = len(bodies) / took_s
    return (
        f"ingest {url.partition(':')[0]}: {rate:,.0f} events/s "
        f"({len(bodies):,} in {took_s:.2f} s), "
        f"{wrong} of {len(all_lives):,} tasks at a wrong version, {judged} at a wrong outcome"
    )


async def learn_all(database: Database, all_lives: list[Life]) -> None:
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


async def wrong_versions(database: Database, all_lives: list[Life]) -> int:
    rows = await database.fetch("SELECT task_arn, version FROM ecs_task")
    found = {row["task_arn"]: row["version"] for row in rows}
    truth = {life.arn: len(life.events) for life in all_lives if life.events}
    assert found.keys() == truth.keys()
    return sum(found[arn] != version for arn, version in truth.items())


async def wrong_outcomes(database: Database, all_lives: list[Life]) -> int:
    rows = await database.fetch("SELECT task_arn, outcome FROM ecs_task_outcome")
    found = {row["task_arn"]: row["outcome"] for row in rows}
    return sum(found[life.arn] != life.outcome for life in all_lives if life.events)


def main() -> None:
    logging.disable(logging.WARNING)
    chosen = sys.argv[1:] or ["sqlite", "postgres"]

    async def run(_: Stop) -> int:
        if "sqlite" in chosen:
            with tempfile.TemporaryDirectory() as folder:
                print(await measure(f"sqlite:///{folder}/ecs.db"))
        if "postgres" in chosen:
            with running_postgres() as server:
                print(await measure(server.new_database()))
        return 0

    lifecycle.run(run)


if __name__ == "__main__":
    main()
