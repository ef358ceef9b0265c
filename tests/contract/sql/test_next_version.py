"""Two versions on one database: the old program goes on while, and after, a new one changes it."""

import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.databases import a_record
from tests.support.house import a_house, a_job
from tests.support.next_version import ADDED, newest, next_version
from tests.support.task_events import an_event, states
from watchbot.errors import DatabaseTooNew, DatabaseTooOld
from watchbot.record import answers
from watchbot.record import tables as record
from watchbot.record.writer import write
from watchbot.schedule.store.sql.store import COMPONENT, PACKAGE
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate, oldest_program, verify

OFTEN = 20  # PostgreSQL's client prepares a statement after five times
FIRST = {  # the migrations of version 1.0, before which there was no other version
    "record": 1,
    "schedule/store/sql": 2,
    "failures": 1,
    "console": 1,
}
ROOT = Path(__file__).parents[3] / "watchbot"


async def changed(url: str, component: str, package: str, folder: Path, oldest: int | None) -> None:
    """The new version starts on the database."""
    with next_version(package, folder, oldest=oldest) as newer:
        async with open_database(url) as database:
            assert len(await migrate(database, component, newer)) == 1


async def use_record(database: Database, first: int) -> None:
    for version in range(first, first + OFTEN):
        await write(database, states(an_event(version)))
        (task,) = await answers.running(database)
        await answers.failures(database, datetime(2026, 11, 1, tzinfo=UTC))
        await answers.missed(database)
        history = await answers.history(database, task["task_arn"])
        assert history is not None
        assert history.events[-1]["version"] == version or history.events[0]["version"] == version


async def test_recorder_goes_on_while_a_new_version_changes_the_tables(
    url: str, tmp_path: Path
) -> None:
    async with a_record(url) as old:
        await use_record(old, first=1)
        await changed(url, record.COMPONENT, record.PACKAGE, tmp_path, newest(record.PACKAGE))
        await use_record(old, first=100)


async def test_scheduler_goes_on_while_a_new_version_changes_the_tables(
    url: str, tmp_path: Path
) -> None:
    async with a_house(url, a_job()) as house:
        for minute in range(2 * OFTEN):
            if minute == OFTEN:
                await changed(url, COMPONENT, PACKAGE, tmp_path, newest(PACKAGE))
            house.clock.on(minutes=1)
            await house.plan()
            await house.take(house.one)
            jobs, more = await house.jobs.page(0, 10)
            assert (len(jobs), more) == (1, 1)
            assert await house.jobs.find("j")
        rows = await house.rows.runs()

    assert len(rows) == 2 * OFTEN
    assert ADDED in rows[0]


@pytest.mark.parametrize("component", ["record", "schedule"])
async def test_old_version_comes_back(
    url: str, tmp_path: Path, component: str, caplog: pytest.LogCaptureFixture
) -> None:
    package = {"record": record.PACKAGE, "schedule": PACKAGE}[component]
    async with open_database(url) as database:
        await migrate(database, component, package)
    await changed(url, component, package, tmp_path, newest(package))

    async with open_database(url) as database:
        with caplog.at_level(logging.WARNING, "watchbot"):
            assert await migrate(database, component, package) == []
            await verify(database, component, package)

    assert "a newer version made the tables; this one works with them" in caplog.messages


@pytest.mark.parametrize("oldest", [None, newest(record.PACKAGE) + 1])
async def test_old_version_that_would_do_harm_is_refused(
    url: str, tmp_path: Path, oldest: int | None
) -> None:
    async with a_record(url) as old:
        await changed(url, record.COMPONENT, record.PACKAGE, tmp_path, oldest)

        known = newest(record.PACKAGE)
        said = rf"version {known + 1}.*knows {known}.*upgrade watchbot"
        for start in (migrate, verify):
            with pytest.raises(DatabaseTooNew, match=said):
                await start(old, record.COMPONENT, record.PACKAGE)


async def test_reader_refuses_tables_that_are_older_than_itself(url: str, tmp_path: Path) -> None:
    async with a_record(url) as database:
        with next_version(record.PACKAGE, tmp_path, oldest=1) as newer:
            known = newest(record.PACKAGE)
            said = rf"version {known}, this program reads {known + 1}; upgrade the service"
            with pytest.raises(DatabaseTooOld, match=said):
                await verify(database, record.COMPONENT, newer)


def test_no_query_reads_columns_that_a_newer_version_adds() -> None:
    wild = re.compile(r"SELECT (?:\w+\.)?\* FROM (?!ecs_task_missed)")  # a view keeps its columns

    assert [file for file in ROOT.rglob("*.py") if wild.search(file.read_text())] == []


def test_every_migration_lets_the_version_before_it_go_on() -> None:
    scripts = sorted(ROOT.rglob("schema/*/*.sql"))

    assert scripts
    for script in scripts:
        component = script.parents[2].relative_to(ROOT).as_posix()
        number = int(script.name[:4])
        if number > FIRST.get(component, 1):
            oldest = oldest_program(script.read_text())
            assert oldest is not None, f"{script} does not say `-- oldest program: {number - 1}`"
            assert oldest < number, f"{script} stops the version before it"
