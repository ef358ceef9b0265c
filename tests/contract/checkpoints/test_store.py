"""The promises of a store of checkpoints, held by DynamoDB (moto), a real Redis and a directory."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path

import anyio
import pytest

from tests.support.cloud import Cloud
from tests.support.redis_server import running_redis
from watchbot.aws import open_client
from watchbot.checkpoints.opening import open_store
from watchbot.checkpoints.store import Checkpoint, CheckpointStore
from watchbot.control import MOST_CHECKPOINT
from watchbot.progress.dynamodb import create_table
from watchbot.settings.base import AwsEndpoint

Opens = Callable[[], AbstractAsyncContextManager[CheckpointStore]]

SOON = int(time.time()) + 3600
LATER = SOON + 3600
numbers = count(1)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> str:
    return cloud.table("checkpoints")


@pytest.fixture(params=["dynamodb", "redis", "file"])
def opens(request: pytest.FixtureRequest, cloud: Cloud, tmp_path: Path) -> Opens:
    """Opens one store, as often as the test calls it."""
    urls: dict[str, Callable[[], str]] = {
        "dynamodb": lambda: f"dynamodb://{request.getfixturevalue('table')}",
        "redis": lambda: request.getfixturevalue("redis"),
        "file": lambda: f"file://{tmp_path}",
    }
    url, aws = urls[request.param](), AwsEndpoint(region="us-east-1", endpoint_url=cloud.url)
    return lambda: open_store(url, aws)


@pytest.fixture
def name() -> str:
    return f"../{next(numbers)}:é"


async def test_table_of_an_arn_is_in_the_region_of_the_arn(cloud: Cloud) -> None:
    there = "arn:aws:dynamodb:eu-west-1:123456789012:table/elsewhere"
    async with open_client(
        "dynamodb", AwsEndpoint(region="eu-west-1", endpoint_url=cloud.url)
    ) as client:
        await create_table(client, "elsewhere")

    async with open_store(f"dynamodb://{there}", AwsEndpoint(endpoint_url=cloud.url)) as store:
        assert await store.save("m1", b"here", "1", SOON)


async def test_last_of_several_is_kept_by_every_process(opens: Opens, name: str) -> None:
    async with opens() as one, opens() as other:
        assert await one.load(name) is None
        assert await one.save(name, b"first", "1", SOON)
        assert await other.save(name, b"second", "1", LATER)

        assert await one.load(name) == Checkpoint(b"second", LATER)
        assert await one.load(f"{name}2") is None


@pytest.mark.parametrize(
    "content", [b"", b"\0\n\xff", bytes(range(256)) * (MOST_CHECKPOINT // 256)], ids=len
)
async def test_any_bytes_up_to_the_limit_come_back(opens: Opens, name: str, content: bytes) -> None:
    async with opens() as store:
        await store.save(name, content, "1", SOON)

        assert await store.load(name) == Checkpoint(content, SOON)


async def test_run_that_is_not_the_last_changes_nothing(opens: Opens, name: str) -> None:
    async with opens() as store:
        await store.save(name, b"of the second run", "2", SOON)

        assert not await store.save(name, b"of the first run", "1", LATER)
        assert await store.load(name) == Checkpoint(b"of the second run", SOON)


async def test_it_is_deleted_once_and_for_all(opens: Opens, name: str) -> None:
    async with opens() as store:
        await store.save(name, b"x", "2", SOON)
        await store.delete(name)
        await store.delete(name)

        assert await store.load(name) is None
        assert await store.save(name, b"anew", "1", SOON)


async def test_it_is_kept_longer_if_it_is_there(opens: Opens, name: str) -> None:
    async with opens() as store:
        await store.save(name, b"x", "1", SOON)
        await store.keep(name, LATER)
        await store.keep(f"{name}2", LATER)

        assert await store.load(name) == Checkpoint(b"x", LATER)
        assert await store.load(f"{name}2") is None


async def test_reader_never_sees_half_of_it(opens: Opens, name: str) -> None:
    contents = {letter * 100_000 for letter in (b"a", b"b", b"c")}
    async with opens() as store, anyio.create_task_group() as writing:
        await store.save(name, b"a" * 100_000, "1", SOON)
        for content in contents:
            writing.start_soon(store.save, name, content, "1", SOON)
        for _ in range(5):
            found = await store.load(name)
            assert found is not None
            assert found.content in contents
