"""A store of failures, of each kind: what was kept is found again, by kind and by minute."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import REGION, Cloud
from watchbot.aws import open_client
from watchbot.failures.dynamodb import create_table
from watchbot.failures.opening import open_failures
from watchbot.failures.store import FailureStore, KeptFailure
from watchbot.moment import to_text
from watchbot.settings.base import AwsEndpoint

NOW = datetime(2026, 3, 1, 0, 30, 15, tzinfo=UTC)  # the last hour is in two days


@pytest.fixture(params=["sqlite", "postgres", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FailureStore]:
    aws = AwsEndpoint(region=REGION)
    if request.param == "dynamodb":
        cloud: Cloud = request.getfixturevalue("cloud")
        for name, value in cloud.environment.items():
            request.getfixturevalue("monkeypatch").setenv(name, value)
        table = f"failures-{uuid.uuid4().hex}"
        async with open_client("dynamodb", aws) as client:
            await create_table(client, table)
        url = f"dynamodb://{table}"
    elif request.param == "postgres":
        url = request.getfixturevalue("postgres").new_database()
    else:
        url = f"sqlite:///{tmp_path}/failures.db"
    async with open_failures(url, aws) as store:
        yield store


def a_failure(number: int, *, ago: timedelta = timedelta(), **more: Any) -> KeptFailure:
    facts: dict[str, Any] = {
        "at": to_text(NOW - ago),
        "fingerprint": "f1",
        "how": "exit code 1",
        "outcome": "failed",
        "queue": "tiles",
        "message_id": f"m{number}",
        "receives": 1,
        "duration_s": 0.5,
    }
    return KeptFailure(**{**facts, **more})


async def test_empty_store_knows_nothing(store: FailureStore) -> None:
    assert await store.kinds(NOW) == []
    assert await store.of_kind("f1", 10) == []


async def test_kinds_have_counts_and_minutes(store: FailureStore) -> None:
    minute = timedelta(minutes=1)
    await store.add([a_failure(0, ago=5 * timedelta(days=1)), a_failure(1, ago=50 * minute)])
    await store.add([a_failure(2, ago=minute), a_failure(3), a_failure(4)])
    await store.add([a_failure(5, ago=2 * minute, fingerprint="f2", how="timed out")])

    first, second = await store.kinds(NOW)

    assert (first.fingerprint, first.how, first.count) == ("f1", "exit code 1", 5)
    assert (first.first, first.last) == (to_text(NOW - timedelta(days=5)), to_text(NOW))
    assert (sum(first.minutes), first.minutes[59], first.minutes[58]) == (4, 2, 1)
    assert (second.how, second.count, sum(second.minutes)) == ("timed out", 1, 1)


async def test_failures_of_a_kind_come_newest_first(store: FailureStore) -> None:
    whole = a_failure(
        9,
        memory_bytes=5_000_000_000,
        container="task/1",
        log="stream",
        tail="no such tile é",
    )
    older = [a_failure(number, ago=timedelta(minutes=number + 1)) for number in range(3)]
    await store.add([*older, whole, a_failure(7, fingerprint="f2")])

    found = await store.of_kind("f1", 2)

    assert found == [whole, older[0]]


async def test_text_that_no_database_holds_is_kept_as_far_as_possible(
    store: FailureStore,
) -> None:
    await store.add([a_failure(1, tail="a\0b \ud83d")])

    (found,) = await store.of_kind("f1", 1)

    assert found.tail.startswith("a")
    assert found.message_id == "m1"


async def test_many_failures_at_once(store: FailureStore) -> None:
    await store.add([a_failure(number, ago=timedelta(seconds=number)) for number in range(100)])

    (kind,) = await store.kinds(NOW)

    assert (kind.count, sum(kind.minutes)) == (100, 100)
    assert len(await store.of_kind("f1", 1000)) == 100


async def test_old_failures_are_forgotten(store: FailureStore) -> None:
    await store.add([a_failure(1, ago=timedelta(days=20)), a_failure(2)])

    await store.forget(NOW - timedelta(days=14))

    (kind,) = await store.kinds(NOW)
    assert kind.last == to_text(NOW)
    assert (await store.of_kind("f1", 1))[0].message_id == "m2"
