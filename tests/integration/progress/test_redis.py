"""Reduce mode in Redis: what it forgets, and what it says when it cannot."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.redis_server import PASSWORD, running_redis
from watchbot.errors import DatabaseError, SettingError
from watchbot.progress.claim import Claim, Completion
from watchbot.progress.store import open_store
from watchbot.settings.progress import ProgressSettings

HOUR_S = 3600


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_redis() as url:
        yield url


def a_claim() -> Claim:
    return Claim(token="token", at=int(time.time()))


async def test_all_of_a_job_is_forgotten_together(url: str) -> None:
    expires = int(time.time()) + HOUR_S
    async with open_store(ProgressSettings(progress_table=url)) as store:
        await store.create("job", range(2), expires=expires)
        await store.complete("job", 1, a_claim())
        await store.note("job", "metadata", 1)

    with Redis.from_url(url) as redis:
        keys = list(redis.scan_iter(match="*{job}*"))
        assert len(keys) == 2
        assert {redis.expiretime(key) for key in keys} == {expires}


async def test_million_parts(url: str) -> None:
    parts = range(1_000_000)
    async with open_store(ProgressSettings(progress_table=url)) as store:
        await store.create("million", parts)
        await store.complete("million", parts[-1], a_claim())
        with Redis.from_url(url) as redis:  # all are done but the first
            (key,) = redis.scan_iter(match="*million*:parts")
            redis.set(key, b"\x7f" + b"\xff" * (len(parts) // 8 - 1))

        assert await store.pending("million") == [0]
        assert await store.complete("million", 0, a_claim()) is Completion.LAST


async def test_wrong_password_is_said_without_it(url: str) -> None:
    wrong = url.replace(PASSWORD, "wr0ng-w0rd")
    async with open_store(ProgressSettings(progress_table=wrong)) as store:
        with pytest.raises(DatabaseError, match="invalid username-password pair") as refusal:
            await store.read("job")

    assert "wr0ng" not in str(refusal.value)


@pytest.mark.parametrize("password", ["a[b", "12/cret", "a@b", "a:b@c"])
async def test_password_that_is_not_escaped_is_not_told(password: str) -> None:
    place = f"redis://:{password}@127.0.0.1:9/0"
    with pytest.raises(SettingError, match=r"--progress-table .*%40 %3A") as refusal:
        async with open_store(ProgressSettings(progress_table=place)):
            pass

    assert password not in str(refusal.value)


async def test_server_that_goes_away_is_said() -> None:
    with running_redis() as url:
        settings = ProgressSettings(progress_table=url)
        async with open_store(settings) as store:
            await store.create("job", range(1))
    async with open_store(settings) as store:
        with pytest.raises(DatabaseError, match=r"database redis://127\.0\.0\.1:"):
            await store.complete("job", 0, a_claim())
