"""Counts of days, and marks of missing events: they say what the tasks themselves say."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from examples.record.lives import SIDECARS, lives
from tests.support.databases import a_record
from tests.support.many_tasks import Many, fill
from tests.support.next_version import earlier_version
from tests.support.task_events import an_event, states
from watchbot.moment import to_time
from watchbot.record import answers
from watchbot.record import tables as record
from watchbot.record.answers import ALL, Filters
from watchbot.record.event import TaskState
from watchbot.record.paging import Page
from watchbot.record.retention import forget, forget_tasks
from watchbot.record.summaries import tidy
from watchbot.record.writer import learn_definition, write
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.task_outcome import FAILURES

END = datetime(2026, 11, 21, 4, tzinfo=UTC)
SINCE = END - timedelta(days=4, hours=7)


def made_up(count: int) -> list[TaskState]:
    """The states of invented tasks of six days, shuffled; a fifth of them come twice."""
    bodies = [json.dumps(e) for life in lives(count, hours=144, end=END) for e in life.events]
    chance = random.Random(5)
    bodies += chance.sample(bodies, len(bodies) // 5)
    chance.shuffle(bodies)
    return states(*bodies)


async def write_all(database: Database, found: list[TaskState]) -> None:
    for start in range(0, len(found), 50):
        await write(database, found[start : start + 50])


async def assert_counts_are_those_of_the_tasks(database: Database) -> None:
    tasks = await database.fetch(
        "SELECT stopped_at, family, cluster, ended_outcome FROM ecs_task "
        "WHERE stopped_at IS NOT NULL"
    )
    family = Filters(family=tasks[0]["family"], cluster=tasks[0]["cluster"])
    for by, filters in (("day", ALL), ("family", ALL), ("day", family), ("family", family)):
        ended, failed = Counter[str](), Counter[str]()
        for task in tasks:
            chosen = filters == ALL or (
                (task["family"], task["cluster"]) == (family.family, family.cluster)
            )
            if chosen and to_time(task["stopped_at"]) >= SINCE:
                key = task["stopped_at"][:10] if by == "day" else task["family"]
                ended[key] += 1
                failed[key] += task["ended_outcome"] in FAILURES
        assert await answers.failures(database, SINCE, by, filters) == [
            {by: key, "failed": failed[key], "ended": ended[key]} for key in sorted(ended)
        ]


async def test_counts_follow_every_change_of_a_task(url: str) -> None:
    found = made_up(120)
    async with a_record(url) as database:
        await write_all(database, found)
        await assert_counts_are_those_of_the_tasks(database)
        for state in found:
            names = [container["name"] for container in state.containers]
            arn = state.row["task_definition_arn"]
            await learn_definition(database, arn, {name: name not in SIDECARS for name in names})
        await assert_counts_are_those_of_the_tasks(database)
        await tidy(database)
        await assert_counts_are_those_of_the_tasks(database)
        assert await forget_tasks(database, END - timedelta(days=2)) > 0
        await assert_counts_are_those_of_the_tasks(database)
        await tidy(database)
        await assert_counts_are_those_of_the_tasks(database)


async def test_tables_that_were_there_are_summed_up(url: str, tmp_path: Path) -> None:
    async with open_database(url) as database:
        with earlier_version(record.PACKAGE, tmp_path, newest=3) as earlier:
            await migrate(database, record.COMPONENT, earlier)
        await write_all(database, made_up(60))
        fill(url, Many(tasks=100, step_s=600, history=3, lost=10))
        before = await answers.missed(database)
        assert await migrate(database, record.COMPONENT, record.PACKAGE) == ["0004_summaries.sql"]
        await assert_counts_are_those_of_the_tasks(database)

        assert len(before) == 10
        assert await answers.missed(database) == before


async def test_recorders_that_tidy_at_once_count_nothing_twice(url: str) -> None:
    async with a_record(url) as database:
        fill(url, Many(tasks=600, step_s=600, history=0, families=3))
        before = await answers.failures(database, datetime.now(UTC) - timedelta(days=30))
        async with anyio.create_task_group() as recorders:
            for _ in range(4):
                recorders.start_soon(tidy, database)
        after = await answers.failures(database, datetime.now(UTC) - timedelta(days=30))
        await tidy(database)
        sizes = await database.fetch("SELECT count(*) AS n FROM ecs_task_day GROUP BY day, family")

    assert after == before
    assert {row["n"] for row in sizes} == {1}


async def test_summaries_are_right_while_several_write_and_tidy(url: str) -> None:
    found = made_up(120)
    async with a_record(url) as database:
        async with anyio.create_task_group() as recorders:
            for number in range(4):
                recorders.start_soon(write_all, database, found[number::4])
                recorders.start_soon(tidy, database)
        await assert_counts_are_those_of_the_tasks(database)
        await tidy(database)
        await assert_counts_are_those_of_the_tasks(database)

        assert await answers.missed(database) == []
        assert await database.fetch("SELECT task_arn FROM ecs_task_gap") == []


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
async def test_events_out_of_order_are_not_missed(url: str, order: tuple[int, ...]) -> None:
    async with a_record(url) as database:
        for version in order:
            await write(database, states(an_event(version)))
        found = await answers.missed(database)
        await tidy(database)
        marks = await database.fetch("SELECT version FROM ecs_task_gap")

    assert (found, marks) == ([], [])


async def test_mark_of_a_gap_stays_as_long_as_the_events_around_it(url: str) -> None:
    created = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    async with a_record(url) as database:
        await write(database, states(an_event(1), an_event(4, createdAt=created)))
        await tidy(database)
        (row,) = await answers.missed(database)
        await forget(database, datetime.now(UTC) + timedelta(hours=1))
        await tidy(database)
        marks = await database.fetch("SELECT version FROM ecs_task_gap")

    assert (row["first_version"], row["last_version"], row["seen"], row["missed"]) == (1, 4, 2, 2)
    assert marks == []


async def test_spans_list_the_tasks_that_ran_in_them(url: str) -> None:
    chance = random.Random(11)
    async with a_record(url) as database:
        await write_all(database, made_up(120))
        tasks = await database.fetch(
            "SELECT task_arn, started_at, ended_at FROM ecs_task_outcome "
            "WHERE started_at IS NOT NULL ORDER BY started_at DESC, task_arn"
        )
        for minutes in (0, 1, 45, 600, 8000):
            since = END - timedelta(minutes=chance.randrange(minutes, 8640))
            until = since + timedelta(minutes=minutes)
            ran = [
                task["task_arn"]
                for task in tasks
                if to_time(task["started_at"]) <= until
                and (task["ended_at"] is None or to_time(task["ended_at"]) >= since)
            ]
            pages = [
                await answers.between(database, (since, until), page=Page(number=n, size=7))
                for n in range(len(ran) // 7 + 2)
            ]
            assert [row["task_arn"] for page in pages for row in page] == ran
