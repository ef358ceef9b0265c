"""The promises of `watchbot.sql`, held by SQLite and by a real PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from tests.support.crowded import no_room_for_threads
from tests.support.postgres import PASSWORD, PostgresServer
from watchbot.errors import (
    DatabaseDown,
    DatabaseError,
    DatabaseTooNew,
    DataRefused,
    SettingError,
    WatchbotError,
)
from watchbot.moment import to_text, to_time
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate

PACKAGE = "tests.support.tables"
COLUMN = {"sqlite": "text", "postgres": "timestamptz"}


@asynccontextmanager
async def a_table(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as database:
        async with database.transaction() as transaction:
            await transaction.script(
                f"CREATE TABLE note (id integer PRIMARY KEY, at {COLUMN[database.dialect.name]}, "
                "body text NOT NULL); CREATE INDEX note_at ON note (at);"
            )
        yield database


async def put(database: Database, number: int, body: str = "x") -> None:
    async with database.transaction() as transaction:
        await transaction.execute(
            "INSERT INTO note (id, body) VALUES (:number, :body)", number=number, body=body
        )


async def count(database: Database) -> int:
    (row,) = await database.fetch("SELECT count(*) AS notes FROM note")
    return int(row["notes"])


async def test_what_is_written_is_read(url: str) -> None:
    at = to_text(datetime(2026, 11, 21, 3, 47, 10, 123_456, UTC))

    async with a_table(url) as database:
        async with database.transaction() as transaction:
            given = await transaction.fetch(
                "INSERT INTO note VALUES (:id, :at, :body) RETURNING id", id=1, at=at, body="50 %s"
            )
            changed = await transaction.execute("UPDATE note SET body = body WHERE id = 1")
        rows = await database.fetch("SELECT * FROM note WHERE body LIKE '50 %'")

    assert given == [{"id": 1}]
    assert changed == 1
    assert rows == [{"id": 1, "at": "2026-11-21T03:47:10.123Z", "body": "50 %s"}]
    assert to_time(rows[0]["at"]) == datetime(2026, 11, 21, 3, 47, 10, 123_000, UTC)


async def test_error_undoes_the_transaction(url: str) -> None:
    async with a_table(url) as database:
        with contextlib.suppress(KeyError):
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO note (id, body) VALUES (1, 'x')")
                raise KeyError
        await put(database, 2)

        assert await database.fetch("SELECT id FROM note") == [{"id": 2}]


async def test_cancelled_transaction_is_undone_and_the_next_one_works(url: str) -> None:
    async with a_table(url) as database:
        with anyio.CancelScope() as scope:
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO note (id, body) VALUES (1, 'x')")
                scope.cancel()
                await transaction.execute("INSERT INTO note (id, body) VALUES (2, 'x')")
        await put(database, 3)

        assert await database.fetch("SELECT id FROM note") == [{"id": 3}]


async def test_many_writers_lose_nothing(url: str) -> None:
    async with a_table(url) as database:
        async with anyio.create_task_group() as writers:
            for number in range(50):
                writers.start_soon(put, database, number)

        assert await count(database) == 50


@pytest.mark.parametrize(
    "body", ["lone \ud800 surrogate", None], ids=["surrogate", "null where none may be"]
)
async def test_value_that_cannot_be_stored_is_refused(url: str, body: str) -> None:
    async with a_table(url) as database:
        with pytest.raises(DataRefused):
            await put(database, 1, body)

        assert await count(database) == 0


async def test_nonsense_is_an_error_that_no_retry_mends(url: str) -> None:
    async with open_database(url) as database:
        with pytest.raises(DatabaseError) as caught:
            await database.fetch("SELECT * FROM nowhere")

    assert not caught.value.transient


async def test_migrations_run_once_and_in_order(url: str) -> None:
    async with open_database(url) as database:
        assert await migrate(database, "notes", PACKAGE) == ["0001_first.sql", "0002_second.sql"]
        assert await migrate(database, "notes", PACKAGE) == []
        rows = await database.fetch("SELECT * FROM migrated ORDER BY step")

    assert rows == [{"step": 1, "text": "one; two"}, {"step": 2, "text": "three"}]


async def test_processes_that_start_at_once_migrate_once(url: str) -> None:
    async def start() -> None:
        async with open_database(url) as database:
            await migrate(database, "notes", PACKAGE)

    async with anyio.create_task_group() as starts:
        for _ in range(6):
            starts.start_soon(start)
    async with open_database(url) as database:
        rows = await database.fetch("SELECT step FROM migrated ORDER BY step")

    assert rows == [{"step": 1}, {"step": 2}]


async def test_tables_of_a_newer_program_are_left_alone(url: str) -> None:
    async with open_database(url) as database:
        await migrate(database, "notes", PACKAGE)
        async with database.transaction() as transaction:
            await transaction.execute(
                "INSERT INTO watchbot_migration VALUES ('notes', 3, '0003_newer.sql')"
            )
        with pytest.raises(DatabaseTooNew, match=r"version 3.*knows 2.*upgrade watchbot"):
            await migrate(database, "notes", PACKAGE)


async def test_server_that_was_killed_is_down_and_then_back(postgres: PostgresServer) -> None:
    async with a_table(postgres.new_database()) as database:
        await put(database, 1)
        postgres.kill()
        try:
            with pytest.raises(DatabaseDown):
                await put(database, 2)
        finally:
            postgres.start()
        await put(database, 3)

        assert await database.fetch("SELECT id FROM note ORDER BY id") == [{"id": 1}, {"id": 3}]


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        (lambda url: url.replace(PASSWORD, "hunter2"), DatabaseDown, "password"),
        (lambda url: url.replace(PASSWORD, "hunter2@x"), SettingError, "%40"),
        (lambda url: url.replace(PASSWORD, "hunter2/x"), SettingError, "%2F"),
        (lambda url: url.replace("127.0.0.1", "no-such-host.invalid"), DatabaseDown, "no-such"),
        (lambda url: url.replace("/postgres", "/nowhere"), DatabaseDown, "nowhere"),
        (lambda url: url.replace("postgresql://", "mysql://"), SettingError, "sqlite:///FILE"),
        (lambda url: url + "?no_such=1", SettingError, "postgresql://"),
        (lambda url: url.replace(PASSWORD, "hunter2[x"), SettingError, "%5B"),
    ],
    ids=["password", "at", "slash", "host", "database", "scheme", "parameter", "bracket"],
)
async def test_wrong_url_is_told_without_the_password(
    postgres: PostgresServer,
    wrong: Callable[[str], str],
    kind: type[WatchbotError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said) as caught:
        async with open_database(wrong(postgres.url())):
            pass

    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://ecs.db",
        "sqlite://[x",
        "sqlite:///",
        "sqlite:///x?mode=ro",
        "sqlite:///x%00",
        "x.db",
    ],
)
@pytest.mark.parametrize("option", ["database", "failures"])
async def test_url_that_names_no_file(url: str, option: str) -> None:
    with pytest.raises(SettingError, match=f"--{option}"):
        async with open_database(url, option=option):
            pass


async def test_machine_without_room_for_a_thread_is_a_database_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_database(f"sqlite:///{tmp_path}/a.db") as database:
        with monkeypatch.context() as full:
            no_room_for_threads(full)
            with pytest.raises(DatabaseDown, match="can't start new thread"):
                await database.fetch("SELECT 1")

        assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


async def test_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("these are my notes\n" * 1000)

    with pytest.raises(DatabaseError, match="not a database"):
        async with open_database(f"sqlite:///{path}"):
            pass

    assert path.read_text().startswith("these are my notes")
    assert path not in open_files()


def open_files() -> list[Path]:
    return [descriptor.resolve() for descriptor in Path("/proc/self/fd").iterdir()]
