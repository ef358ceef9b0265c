"""`watchbot record` into SQLite and into a real PostgreSQL: what is written, and what is kept."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from examples.record.lives import SIDECARS, Life, lives
from tests.support.databases import a_record
from tests.support.postgres import PostgresServer
from tests.support.task_events import an_event, states
from watchbot import metrics
from watchbot.errors import DataRefused
from watchbot.lifecycle import Stop
from watchbot.record.answers import missed
from watchbot.record.event import TaskState
from watchbot.record.retention import forget
from watchbot.record.service import Recorder
from watchbot.record.writer import Reject, learn_definition, write
from watchbot.settings.record import RecordSettings
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Row
from watchbot.sqs.memory import MemoryQueue

END = datetime(2026, 11, 21, 4, tzinfo=UTC)


async def run(database: Database, queue: MemoryQueue, concurrency: int = 2) -> None:
    settings = RecordSettings(
        queue_url="http://in.memory/queue",
        concurrency=concurrency,
        batch=20,
        exit_when_empty=True,
        poll_wait=1,
    )
    with anyio.fail_after(60):
        await Recorder(settings, queue, database).run(Stop())


async def test_higher_version_wins_and_history_keeps_all(url: str) -> None:
    async with a_record(url) as database:
        for version, status in ((2, "RUNNING"), (3, "STOPPED"), (1, "PENDING"), (3, "STOPPED")):
            await write(database, states(an_event(version, status)))
        (task,) = await database.fetch("SELECT * FROM ecs_task_outcome")
        history = await database.fetch(
            "SELECT version, last_status FROM ecs_task_event ORDER BY version"
        )

    assert (task["version"], task["last_status"]) == (3, "STOPPED")
    assert [row["last_status"] for row in history] == ["PENDING", "RUNNING", "STOPPED"]


async def test_one_batch_may_hold_a_task_often(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(*(an_event(version) for version in (2, 1, 3, 3, 2))))

        assert await database.fetch("SELECT version FROM ecs_task") == [{"version": 3}]
        assert await database.fetch("SELECT count(*) AS n FROM ecs_task_event") == [{"n": 3}]


async def test_of_two_states_with_one_version_the_first_is_kept_whole(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = [{"name": "main", "lastStatus": "STOPPED", "exitCode": 0}]
    first = an_event(3, "STOPPED", containers=ended)
    second = an_event(3, "RUNNING", group="service:web")

    async with a_record(url) as database:
        await write(database, states(first, second, first))
        (task,) = await database.fetch("SELECT * FROM ecs_task_outcome")
        (container,) = await database.fetch("SELECT exit_code FROM ecs_task_container")

    assert (task["last_status"], task["outcome"], task["task_group"]) == (
        "STOPPED",
        "success",
        None,
    )
    assert json.loads(task["detail"])["lastStatus"] == "STOPPED"
    assert container["exit_code"] == 0
    assert [record.message for record in caplog.records] == [
        "two states with one version, the first is kept"
    ]


class Picky:
    """A database that refuses to store a task that was started by one whom it hates."""

    hated = "mallory"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect, self.shown_url = database.dialect, database.shown_url

    async def fetch(self, sql: str, **values: Any) -> list[Row]:
        return await self._database.fetch(sql, **values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as transaction:
            yield PickyTransaction(transaction)


class PickyTransaction:
    """One of its transactions."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.fetch, self.script = transaction.fetch, transaction.script

    async def execute(self, sql: str, **values: Any) -> int:
        if "INTO ecs_task_event " in sql and Picky.hated in values["rows"]:
            raise DataRefused("here", "I know that one")
        return await self._transaction.execute(sql, **values)


async def test_event_that_the_database_refuses_is_counted_as_rejected(url: str) -> None:
    def counted() -> list[float]:
        found = metrics.parse(metrics.scrape().decode())
        name = "watchbot_record_events_total"
        return [found[name, frozenset({("kind", kind)})] for kind in ("task", "rejected")]

    queue = MemoryQueue()
    for body in [an_event(1), an_event(2, startedBy=Picky.hated), an_event(3)]:
        queue.send(body)
    before = counted()

    async with a_record(url) as database:
        await run(Picky(database), queue)
        (reject,) = await database.fetch("SELECT error FROM ecs_event_reject")

    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 1]
    assert reject["error"] == "the database refuses it: I know that one"


class Latin(Picky):
    """A database that stores nothing but ASCII, and nothing at all of what it hates."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as transaction:
            yield LatinTransaction(transaction)


class LatinTransaction(PickyTransaction):
    """One of its transactions."""

    async def execute(self, sql: str, **values: Any) -> int:
        rows = json.loads(str(values.get("rows", "[]")))
        if not all(str(value).isascii() for row in rows for value in row.values()):
            raise DataRefused("here", "no such character")
        if any(Picky.hated in str(row) for row in rows):
            raise DataRefused("here", "I know that one")
        return await self._transaction.execute(sql, **values)


@pytest.mark.parametrize("body", [an_event(1, group="service:gr\u00f6\u00dfe"), "no event: \u2026"])
async def test_characters_that_the_database_has_not_are_rejected_in_ascii(
    url: str, body: str
) -> None:
    queue = MemoryQueue()
    queue.send(body)

    async with a_record(url) as database:
        await run(Latin(database), queue)
        (reject,) = await database.fetch("SELECT error, body FROM ecs_event_reject")

    assert reject["error"] == "the database refuses it: no such character"
    assert reject["body"] == body.encode("ascii", "backslashreplace").decode()


async def test_database_that_refuses_the_reject_too_ends_the_service(url: str) -> None:
    queue = MemoryQueue()
    queue.send(an_event(1, startedBy=Picky.hated))

    async with a_record(url) as database:
        with pytest.RaisesGroup(DataRefused, flatten_subgroups=True):
            await run(Latin(database), queue)


async def test_missing_exit_code_is_null_and_not_zero(url: str) -> None:
    containers = [{"name": "a", "exitCode": 0}, {"name": "b"}]

    async with a_record(url) as database:
        await write(database, states(an_event(1, "STOPPED", containers=containers)))
        rows = await database.fetch("SELECT name, exit_code FROM ecs_task_container ORDER BY name")
        (task,) = await database.fetch("SELECT outcome FROM ecs_task_outcome")

    assert rows == [{"name": "a", "exit_code": 0}, {"name": "b", "exit_code": None}]
    assert task["outcome"] == "unknown"


async def test_unknown_fields_are_kept(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(an_event(enableFlux=True)))
        (task,) = await database.fetch("SELECT detail FROM ecs_task")

    assert json.loads(task["detail"])["enableFlux"] is True


async def test_definition_that_is_learned_later_judges_anew(url: str) -> None:
    containers = [
        {"name": "main", "exitCode": 0, "lastStatus": "STOPPED"},
        {"name": "proxy", "exitCode": 137, "lastStatus": "STOPPED"},
    ]
    async with a_record(url) as database:
        (state,) = states(an_event(1, "STOPPED", containers=containers))
        await write(database, [state])
        before = await database.fetch("SELECT outcome FROM ecs_task_outcome")
        await learn_definition(
            database, state.row["task_definition_arn"], {"main": True, "proxy": False}
        )
        after = await database.fetch("SELECT outcome FROM ecs_task_outcome")

    assert (before, after) == ([{"outcome": "unknown"}], [{"outcome": "success"}])


async def test_shuffled_stream_with_duplicates_gives_the_truth(url: str) -> None:
    made = [life for life in lives(150, hours=30, end=END) if life.events]
    bodies = [json.dumps(event) for life in made for event in life.events]
    chance = random.Random(3)
    bodies += chance.sample(bodies, len(bodies) // 4)
    chance.shuffle(bodies)
    queue = MemoryQueue()
    for body in bodies:
        queue.send(body)

    async with a_record(url) as database:
        await run(database, queue, concurrency=4)
        await learn_all(database, made)
        rows = await database.fetch("SELECT task_arn, version, outcome FROM ecs_task_outcome")

    assert {row["task_arn"]: (row["version"], row["outcome"]) for row in rows} == {
        life.arn: (len(life.events), life.outcome) for life in made
    }


async def learn_all(database: Database, made: list[Life]) -> None:
    for life in made:
        detail = life.events[0]["detail"]
        names = [container["name"] for container in detail["containers"]]
        essential = {name: name not in SIDECARS for name in names}
        await learn_definition(database, detail["taskDefinitionArn"], essential)


async def test_what_cannot_be_read_is_kept_aside_and_deleted(url: str) -> None:
    queue = MemoryQueue()
    bad = ["no json", "[" * 5000, '{"taskArn": "x\\u0000", "lastStatus": "R"}']
    for body in [an_event(1), *bad, an_event(2)]:
        queue.send(body)

    async with a_record(url) as database:
        await run(database, queue)
        rejects = await database.fetch("SELECT body, error, receive_count FROM ecs_event_reject")
        tasks = await database.fetch("SELECT version FROM ecs_task")

    assert {row["body"] for row in rejects} == set(bad)
    assert all(row["error"] and row["receive_count"] == 1 for row in rejects)
    assert tasks == [{"version": 2}]
    assert (await queue.facts())["ApproximateNumberOfMessagesNotVisible"] == "0"


async def test_what_the_database_refuses_does_not_take_its_batch_along(url: str) -> None:
    deep = "[" * 940 + "]" * 940  # json reads it, and cannot write it from further down
    queue = MemoryQueue()
    for body in [an_event(1), an_event(2).replace('"e2"', deep), an_event(3)]:
        queue.send(body)

    async with a_record(url) as database:
        await run(database, queue)

        assert await database.fetch("SELECT version FROM ecs_task") == [{"version": 3}]
    assert (await queue.facts())["ApproximateNumberOfMessages"] == "0"


TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


async def test_wrapped_in_an_sns_envelope(url: str) -> None:
    queue = MemoryQueue()
    queue.send(
        json.dumps(
            {"Type": "Notification", "MessageId": "n", "TopicArn": TOPIC, "Message": an_event(7)}
        )
    )

    async with a_record(url) as database:
        await run(database, queue)

        assert await database.fetch("SELECT version FROM ecs_task") == [{"version": 7}]


async def test_other_events_are_kept_once(url: str) -> None:
    queue = MemoryQueue()
    for _ in range(2):
        queue.send('{"detail-type": "ECS Hook State Change", "id": "h", "detail": {"new": [1]}}')

    async with a_record(url) as database:
        await run(database, queue)
        (row,) = await database.fetch("SELECT detail_type, event FROM ecs_event")

    assert row["detail_type"] == "ECS Hook State Change"
    assert json.loads(row["event"])["detail"] == {"new": [1]}


async def test_old_history_is_forgotten_and_the_newest_state_stays(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(*(an_event(version) for version in range(1, 6))))
        await write(database, rejects=[Reject(message_id="m", body="", error="", receive_count=1)])
        nothing = await forget(database, datetime.now(UTC) - timedelta(hours=1))
        rows = await forget(database, datetime.now(UTC) + timedelta(hours=1))
        left = await database.fetch("SELECT count(*) AS n FROM ecs_task_event")

        assert await database.fetch("SELECT version FROM ecs_task") == [{"version": 5}]
        assert await missed(database) == []
    assert (nothing, rows, left) == (0, 6, [{"n": 0}])


async def test_lost_events_are_told(url: str) -> None:
    async with a_record(url) as database:
        created = datetime.now(UTC) + timedelta(minutes=1)
        await write(database, states(an_event(2), an_event(5, createdAt=created.isoformat())))
        (row,) = await missed(database)

    assert (row["first_version"], row["last_version"], row["seen"], row["missed"]) == (2, 5, 2, 3)


async def test_killed_database_loses_nothing_and_doubles_nothing(postgres: PostgresServer) -> None:
    made = [life for life in lives(300, hours=30, end=END) if life.events]
    queue = MemoryQueue()
    for life in made:
        for event in life.events:
            queue.send(json.dumps(event))

    async with a_record(postgres.new_database()) as database, anyio.create_task_group() as tasks:
        tasks.start_soon(run, database, queue)
        while not await database.fetch("SELECT task_arn FROM ecs_task LIMIT 1"):
            await anyio.sleep(0.01)  # a database announces nothing
        postgres.kill()
        left = int((await queue.facts())["ApproximateNumberOfMessagesNotVisible"])
        postgres.start()
    async with a_record(postgres.url(f"test_{postgres.databases}")) as database:
        events = await database.fetch("SELECT count(*) AS n FROM ecs_task_event")
        rows = await database.fetch("SELECT task_arn, version FROM ecs_task")

    assert left > 0  # it was killed in the middle
    assert events == [{"n": sum(len(life.events) for life in made)}]
    assert {row["task_arn"]: row["version"] for row in rows} == {
        life.arn: len(life.events) for life in made
    }


async def test_value_that_is_no_json_is_refused(url: str) -> None:
    (state,) = states(an_event(1))
    broken = TaskState(
        task_arn=state.task_arn,
        version=1,
        row={**state.row, "revision": "many" * 9, "last_status": None},
        containers=(),
    )
    async with a_record(url) as database:
        with pytest.raises(DataRefused):
            await write(database, [broken])
