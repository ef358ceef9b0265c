"""The promises of `watchbot.progress`, held by memory, by DynamoDB (moto), and by a real Redis."""

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from itertools import count

import anyio
import pytest

from tests.support.cloud import Cloud
from tests.support.redis_server import running_redis
from watchbot.errors import JobDiffers, NoSuchJob, NoSuchPart
from watchbot.progress.claim import CLAIM_S, Claim, Completion
from watchbot.progress.memory import MemoryStore
from watchbot.progress.store import ProgressStore, open_store
from watchbot.settings.progress import ProgressSettings

Opens = Callable[[], AbstractAsyncContextManager[ProgressStore]]

CALLERS = 200
numbers = count(1)


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> str:
    cloud.table("jobs")
    return "arn:aws:dynamodb:us-east-1:123456789012:table/jobs"


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture(params=["memory", "dynamodb", "redis"])
def opens(request: pytest.FixtureRequest) -> Opens:
    """Opens one store, as often as the test calls it."""
    if request.param == "memory":
        memory: ProgressStore = MemoryStore()
        return lambda: nullcontext(memory)
    if request.param == "redis":
        place = ProgressSettings(progress_table=request.getfixturevalue("redis"))
    else:
        url = request.getfixturevalue("cloud").url
        place = ProgressSettings(progress_table=request.getfixturevalue("table"), endpoint_url=url)
    return lambda: open_store(place)


@asynccontextmanager
async def a_job(opens: Opens, parts: range) -> AsyncIterator[tuple[ProgressStore, str]]:
    """A store with a new job in it."""
    async with opens() as store:
        job = f"job {{{next(numbers)}}}:é"
        await store.create(job, parts)
        yield store, job


def a_claim(token: str | None = None, at: int | None = None) -> Claim:
    return Claim(token=token or f"token {next(numbers)}", at=at or int(time.time()))


async def test_last_part_is_told_and_no_other(opens: Opens) -> None:
    async with a_job(opens, range(1, 4)) as (store, job):
        told = [await store.complete(job, part, a_claim()) for part in (2, 2, 1, 3, 3)]

        assert told == [Completion.OPEN] * 3 + [Completion.LAST, Completion.CLAIMED]
        assert await store.pending(job) == []


async def test_call_repeated_with_its_token_gets_the_same_answer(opens: Opens) -> None:
    async with a_job(opens, range(1)) as (store, job):
        claim = a_claim()

        told = [await store.complete(job, 0, claim) for _ in range(2)]

        assert told == [Completion.LAST] * 2


async def test_what_is_not_done_is_pending(opens: Opens) -> None:
    parts = range(1, 5001)
    done = set(random.Random(7).sample(parts, 60)) | {1, 4096, 4097, 5000}
    async with a_job(opens, parts) as (store, job):
        for part in done:
            await store.complete(job, part, a_claim())

        assert await store.pending(job) == [part for part in parts if part not in done]


async def test_many_at_once_and_all_twice_one_is_told(opens: Opens) -> None:
    parts = range(CALLERS // 2)
    told: Counter[Completion] = Counter()

    async def call(store: ProgressStore, job: str, part: int) -> None:
        told[await store.complete(job, part, a_claim())] += 1

    async with a_job(opens, parts) as (one, job), opens() as other, anyio.create_task_group() as at:
        for part in parts:
            at.start_soon(call, one, job, part)
            at.start_soon(call, other, job, part)

    assert told[Completion.LAST] == 1
    assert told.total() == CALLERS
    async with opens() as store:
        assert await store.pending(job) == []


async def test_last_part_by_many_at_once_one_is_told(opens: Opens) -> None:
    told: Counter[Completion] = Counter()

    async def call(store: ProgressStore, job: str) -> None:
        told[await store.complete(job, 1, a_claim())] += 1

    async with a_job(opens, range(1, 2)) as (store, job), anyio.create_task_group() as at:
        for _ in range(50):
            at.start_soon(call, store, job)

    assert told == {Completion.LAST: 1, Completion.CLAIMED: 49}


async def test_failed_job_tells_nobody(opens: Opens) -> None:
    async with a_job(opens, range(2)) as (store, job):
        await store.complete(job, 0, a_claim())
        await store.note(job, "error", "first")
        await store.note(job, "error", "second")

        assert await store.complete(job, 1, a_claim()) is Completion.OPEN
        assert (await store.read(job)).error == "first"
        assert await store.pending(job) == []


async def test_facts_are_kept(opens: Opens) -> None:
    metadata = {"name": "é", "sizes": [1, 0.5, None, True], "empty": {}}
    async with a_job(opens, range(1, 3)) as (store, job):
        await store.note(job, "metadata", "old")
        await store.note(job, "metadata", metadata)
        await store.note(job, "reduceSent", True)

        known = await store.read(job)

    assert (known.id, known.total, known.parts) == (job, 2, range(1, 3))
    assert (known.metadata, known.reduce_sent, known.error) == (metadata, True, None)


async def test_job_begun_again_goes_on(opens: Opens) -> None:
    async with a_job(opens, range(2)) as (store, job):
        await store.complete(job, 0, a_claim())

        await store.create(job, range(2))

        assert await store.pending(job) == [1]
        with pytest.raises(JobDiffers):
            await store.create(job, range(3))
        with pytest.raises(JobDiffers):
            await store.create(job, range(1, 3))


@pytest.mark.parametrize("end", ["done", "failed"])
async def test_job_that_is_over_begins_anew_and_is_told_again(opens: Opens, end: str) -> None:
    async with a_job(opens, range(1, 3)) as (store, job):
        await store.note(job, "metadata", "of old")
        told = [await store.complete(job, part, a_claim()) for part in (1, 2)]
        await store.note(job, *(("error", "broken") if end == "failed" else ("reduceSent", True)))
        assert told[-1] is Completion.LAST

        await store.create(job, range(1, 4), anew=True)

        known = await store.read(job)
        assert (known.total, known.error, known.metadata, known.reduce_sent) == (
            3, None, None, False,
        )  # fmt: skip
        assert await store.pending(job) == [1, 2, 3]
        again = [await store.complete(job, part, a_claim()) for part in (1, 2, 3)]
        assert again == [Completion.OPEN, Completion.OPEN, Completion.LAST]


async def test_job_under_way_does_not_begin_anew(opens: Opens) -> None:
    async with a_job(opens, range(2)) as (store, job):
        await store.complete(job, 0, a_claim())

        await store.create(job, range(2), anew=True)

        assert await store.pending(job) == [1]
        with pytest.raises(JobDiffers):
            await store.create(job, range(3), anew=True)


async def test_job_that_is_over_stays_as_it_is_unless_it_is_to_begin_anew(opens: Opens) -> None:
    async with a_job(opens, range(1)) as (store, job):
        await store.complete(job, 0, a_claim())

        await store.create(job, range(1))

        assert await store.pending(job) == []


async def test_parts_are_counted_as_they_are_listed(opens: Opens) -> None:
    async with a_job(opens, range(1, 5001)) as (store, job):
        for part in (1, 2, 4096, 4097, 5000):
            await store.complete(job, part, a_claim())

        assert await store.remaining(job) == 4995
        assert [await store.is_done(job, part) for part in (2, 3, 5000)] == [True, False, True]
        with pytest.raises(NoSuchPart):
            await store.is_done(job, 5001)


async def test_unknown_job(opens: Opens) -> None:
    async with opens() as store:
        with pytest.raises(NoSuchJob):
            await store.read("nothing")
        with pytest.raises(NoSuchJob):
            await store.pending("nothing")
        with pytest.raises(NoSuchJob):
            await store.complete("nothing", 1, a_claim())
        with pytest.raises(NoSuchJob):
            await store.note("nothing", "metadata", 1)
        assert "nothing" not in [job async for job in store.jobs()]


@pytest.mark.parametrize("part", [0, 6])
async def test_unknown_part(opens: Opens, part: int) -> None:
    async with a_job(opens, range(1, 6)) as (store, job):
        with pytest.raises(NoSuchPart):
            await store.complete(job, part, a_claim())

        assert len(await store.pending(job)) == 5


async def test_jobs_are_listed_once(opens: Opens) -> None:
    async with a_job(opens, range(5000)) as (store, job):
        await store.complete(job, 0, a_claim())
        await store.complete(job, 4999, a_claim())

        listed = [each async for each in store.jobs()]

    assert listed.count(job) == 1
    assert len(set(listed)) == len(listed)


async def test_claim_of_the_dead_is_taken_over_once(opens: Opens) -> None:
    now = int(time.time())
    taken: list[bool] = []

    async def take(store: ProgressStore, job: str) -> None:
        taken.append(await store.take_over(job, a_claim(at=now)))

    async with a_job(opens, range(1)) as (store, job):
        assert not await store.take_over(job, a_claim(at=now))  # nobody was told yet
        await store.complete(job, 0, a_claim(at=now - CLAIM_S))
        async with anyio.create_task_group() as at:
            for _ in range(10):
                at.start_soon(take, store, job)

    assert sum(taken) == 1


@pytest.mark.parametrize("why", ["young", "sent", "failed"])
async def test_claim_is_not_taken_over(opens: Opens, why: str) -> None:
    now = int(time.time())
    async with a_job(opens, range(1)) as (store, job):
        await store.complete(job, 0, a_claim(at=now - CLAIM_S + (1 if why == "young" else 0)))
        if why == "sent":
            await store.note(job, "reduceSent", True)
        if why == "failed":
            await store.note(job, "error", "broken")

        assert not await store.take_over(job, a_claim(at=now))
