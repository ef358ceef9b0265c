import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud, running_cloud
from tests.support.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return _database(request.param, request, tmp_path)


@pytest.fixture(params=["sqlite", "postgres", "dynamodb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where `tests.support.house` finds, or makes, an empty store of the scheduler."""
    if request.param == "dynamodb":
        cloud: Cloud = request.getfixturevalue("cloud")
        return f"{cloud.url}/schedule-{uuid.uuid4().hex}"
    return _database(request.param, request, tmp_path)


def _database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder}/test.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
