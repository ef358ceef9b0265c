"""Reduce mode in DynamoDB: what is in the items, jobs of ecs-watchbot, faults between two calls."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from tests.support.cloud import REGION, Cloud, running_cloud
from watchbot.aws import Client, open_client
from watchbot.dynamodb import Table
from watchbot.errors import JobDiffers, Rejected, Unreachable, UsageError
from watchbot.progress.chunk import CHUNK_PARTS, NAMES, WORD_BITS, WORDS
from watchbot.progress.claim import Claim, Completion
from watchbot.progress.dynamodb import ProgressTable
from watchbot.progress.job import status
from watchbot.settings.base import AwsEndpoint

FULL = {name: {"N": str(2**WORD_BITS - 1)} for name in NAMES}
OPEN, LAST, CLAIMED = Completion.OPEN, Completion.LAST, Completion.CLAIMED


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def table(cloud: Cloud) -> Iterator[str]:
    yield cloud.table("jobs")
    cloud.dynamodb.delete_table(TableName="jobs")


class Faulty:
    """A client whose n-th update fails: before it is done, or when it is done already."""

    def __init__(self, client: Client, *, fails: int, done: bool) -> None:
        self._client, self._fails, self._done, self.updates = client, fails, done, 0

    async def call(self, operation: str, **parameters: Any) -> Any:
        facts = {"service": "DynamoDB", "operation": operation, "text": "as the test wants it"}
        self.updates += operation == "update_item"
        if operation != "update_item" or self.updates != self._fails:
            return await self._client.call(operation, **parameters)
        if not self._done:
            raise Unreachable(code="EndpointConnectionError", **facts)
        # What boto sees that tries again because the answer to its first try was lost.
        await self._client.call(operation, **parameters)
        if "ConditionExpression" in parameters:
            with contextlib.suppress(Rejected):
                return await self._client.call(operation, **parameters)
            raise Rejected(code="ConditionalCheckFailedException", **facts)
        return await self._client.call(operation, **parameters)


@asynccontextmanager
async def a_store(cloud: Cloud, **fault: Any) -> AsyncIterator[ProgressTable]:
    aws = AwsEndpoint(region=REGION, endpoint_url=cloud.url)
    async with open_client("dynamodb", aws) as client:
        asked = cast(Client, Faulty(client, **fault)) if fault else client
        yield ProgressTable(Table(asked, "jobs"))


def a_claim(token: str = "token") -> Claim:
    return Claim(token=token, at=1_800_000_000)


def item(cloud: Cloud, job: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.dynamodb.get_item(TableName="jobs", Key={"id": {"S": job}})[
        "Item"
    ]
    return found


@pytest.mark.parametrize("done", [False, True], ids=["not done", "answer lost"])
@pytest.mark.parametrize("step", [1, 2, 3], ids=["bit", "chunk", "claim"])
async def test_fault_at_any_step_loses_nothing(
    cloud: Cloud, table: str, step: int, done: bool
) -> None:
    async with a_store(cloud) as store:
        await store.create("job", range(1))

    told = []
    async with a_store(cloud, fails=step, done=done) as faulty:
        with contextlib.suppress(Unreachable):
            told.append(await faulty.complete("job", 0, a_claim("first")))
    async with a_store(cloud) as store:
        told += [await store.complete("job", 0, a_claim(token)) for token in ("second", "third")]

    assert told.count(LAST) == 1
    assert OPEN not in told


async def test_parts_that_share_a_word_are_completed_at_once(cloud: Cloud, table: str) -> None:
    shared = range(0, CHUNK_PARTS, WORDS)
    async with a_store(cloud) as store:
        await store.create("job", range(CHUNK_PARTS))
        async with anyio.create_task_group() as calls:
            for part in shared:
                calls.start_soon(store.complete, "job", part, a_claim())

        left = await store.pending("job")

    assert set(range(CHUNK_PARTS)) - set(left) == set(shared)


async def test_million_parts(cloud: Cloud, table: str) -> None:
    parts, begun = range(245 * CHUNK_PARTS), range(240, 245)
    async with a_store(cloud) as store:
        await store.create("job", parts)
        header = item(cloud, "job")
        header["full"] = {"NS": [str(number) for number in range(240)]}
        cloud.dynamodb.put_item(TableName=table, Item=header)
        for number in begun:  # all is done but the first part of each
            key = {"id": {"S": f"watchbot-parts:{header['run']['S']}:{number}"}}
            words = {**FULL, "w0": {"N": str(2**WORD_BITS - 2)}}
            cloud.dynamodb.put_item(TableName=table, Item={**key, **words})

        left = await store.pending("job")
        told = [await store.complete("job", part, a_claim()) for part in left]

    assert left == [number * CHUNK_PARTS for number in begun]
    assert told == [OPEN] * (len(begun) - 1) + [LAST]


async def test_part_is_one_write_of_one_unit(cloud: Cloud, table: str) -> None:
    async with a_store(cloud) as store:
        await store.create("job", range(CHUNK_PARTS))

    aws = AwsEndpoint(region=REGION, endpoint_url=cloud.url)
    async with open_client("dynamodb", aws) as client:
        counted = Faulty(client, fails=0, done=False)
        await ProgressTable(Table(cast(Client, counted), "jobs")).complete("job", 7, a_claim())

    assert counted.updates == 1


async def test_chunk_expires_with_its_job(cloud: Cloud, table: str) -> None:
    async with a_store(cloud) as store:
        await store.create("job", range(2), expires=1_900_000_000)
        await store.complete("job", 0, a_claim())

    assert [each["expires"] for each in cloud.items(table)] == [{"N": "1900000000"}] * 2


async def test_id_used_again_after_its_header_expired(cloud: Cloud, table: str) -> None:
    async with a_store(cloud) as store:
        await store.create("job", range(2))
        await store.complete("job", 0, a_claim())
        cloud.dynamodb.delete_item(TableName=table, Key={"id": {"S": "job"}})

        await store.create("job", range(2))

        assert await store.pending("job") == [0, 1]


async def test_id_of_a_chunk_is_no_job(cloud: Cloud, table: str) -> None:
    async with a_store(cloud) as store:
        with pytest.raises(UsageError, match="no job's id may begin with 'watchbot-parts:'"):
            await store.create("watchbot-parts:x:0", range(2))


class TestJobOfEcsWatchbot:
    """An item with the numbers of the parts that are left, as `watchbot-progress` wrote it."""

    @pytest.fixture(autouse=True)
    def job(self, cloud: Cloud, table: str) -> None:
        metadata = {"M": {"name": {"S": "x"}, "sizes": {"L": [{"N": "1.5"}]}}}
        cloud.dynamodb.put_item(
            TableName=table,
            Item={
                "id": {"S": "old"},
                "total": {"N": "4"},
                "parts": {"NS": ["2", "4"]},
                "metadata": metadata,
            },
        )

    async def test_is_read(self, cloud: Cloud) -> None:
        async with a_store(cloud) as store:
            done = await store.is_done("old", 2)
            said = status(await store.read("old"), await store.remaining("old"), done)

        assert said == {
            "progress": 0.5,
            "metadata": {"name": "x", "sizes": [1.5]},
            "partComplete": False,
        }

    async def test_is_finished_in_place_and_told_once(self, cloud: Cloud) -> None:
        async with a_store(cloud) as store:
            told = [
                await store.complete("old", part, a_claim(f"call {place}"))
                for place, part in enumerate([2, 2, 1, 4, 4])
            ]
            await store.note("old", "reduceSent", True)

        assert told == [OPEN, OPEN, OPEN, LAST, CLAIMED]
        assert "parts" not in item(cloud, "old")
        assert item(cloud, "old")["reduceSent"] == {"BOOL": True}
        assert [each["id"] for each in cloud.items("jobs")] == [{"S": "old"}]

    async def test_of_which_all_was_done_is_told_once(self, cloud: Cloud, table: str) -> None:
        # ecs-watchbot's worker died between its last part and its reduce message.
        cloud.dynamodb.put_item(TableName=table, Item={"id": {"S": "done"}, "total": {"N": "2"}})
        async with a_store(cloud) as store:
            told = [await store.complete("done", 2, a_claim(token)) for token in "ab"]

        assert told == [LAST, CLAIMED]

    async def test_begun_again_goes_on(self, cloud: Cloud) -> None:
        async with a_store(cloud) as store:
            await store.create("old", range(1, 5))

            assert await store.pending("old") == [2, 4]
            with pytest.raises(JobDiffers):
                await store.create("old", range(1, 4))
