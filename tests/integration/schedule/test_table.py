"""The scheduler in DynamoDB: its table, an index that is late, answers that are lost."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.support.cloud import REGION, Cloud, running_cloud
from tests.support.house import KEPT, NOON, Clock, House, TableRows, a_job
from tests.support.wire import Plain, Wire
from watchbot.aws import Client, open_client
from watchbot.errors import (
    DatabaseDown,
    DatabaseError,
    Rejected,
    SettingError,
    Throttled,
)
from watchbot.schedule.runs import run_now
from watchbot.schedule.store.dynamodb.clock import ServerClock
from watchbot.schedule.store.dynamodb.store import TableStore
from watchbot.schedule.store.dynamodb.table import StoreTable
from watchbot.schedule.store.opening import open_store
from watchbot.schedule.store.run import LeasedRun, RunEnd
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.schedule import StoreSettings


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def table(cloud: Cloud, request: pytest.FixtureRequest) -> str:
    """The name of a table of this test's own, not there yet."""
    return "".join(letter for letter in request.node.name if letter.isalnum())


@asynccontextmanager
async def a_wired_house(cloud: Cloud, table: str) -> AsyncIterator[tuple[House, Wire]]:
    """A house with a job that fires each minute."""
    async with open_client("dynamodb", an_account(cloud), attempts=1) as client:
        wire, clock = Wire(client), Clock()
        opened = StoreTable(cast(Client, wire), table, lambda _: None)
        await opened.prepare()
        house = House(TableStore(opened, clock, KEPT), clock, TableRows(opened))
        await house.jobs.add(a_job())
        yield house, wire


def an_account(cloud: Cloud) -> AwsEndpoint:
    return AwsEndpoint(region=REGION, endpoint_url=cloud.url)


def settings(cloud: Cloud, table: str) -> StoreSettings:
    return StoreSettings(database=f"dynamodb://{table}", region=REGION, endpoint_url=cloud.url)


def make(cloud: Cloud, table: str, keys: list[str], **more: Any) -> None:
    """Makes a table as somebody else would."""
    names = [*keys, "work", "at"] if more else keys
    cloud.dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=schema(keys),
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def schema(keys: list[str]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, kinds, strict=False)
    ]


async def take_one(house: House) -> LeasedRun:
    house.clock.on(minutes=1)
    await house.plan()
    (run,) = await house.take(house.one)
    return run


async def test_table_is_made_once_and_forgets_by_itself(cloud: Cloud, table: str) -> None:
    async with open_store(settings(cloud, table)) as store:
        await store.jobs.add(a_job())
    async with open_store(settings(cloud, table)) as store:
        found = await store.jobs.find("j")

    facts = cloud.dynamodb.describe_table(TableName=table)["Table"]
    ttl = cloud.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert found
    assert facts["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [index["IndexName"] for index in facts["GlobalSecondaryIndexes"]] == ["work"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires")


async def test_table_that_was_made_just_now_may_not_be_seen_yet(cloud: Cloud, table: str) -> None:
    async with open_client("dynamodb", an_account(cloud), attempts=1) as client:
        wire = Wire(client)
        wire.unknown = 1
        made = await StoreTable(cast(Client, wire), table, lambda _: None).prepare()

    assert made
    assert wire.calls == ["describe_table", "create_table"] + ["describe_table"] * 2 + [
        "transact_write_items",
        "describe_time_to_live",
        "update_time_to_live",
    ]


async def test_table_whose_maker_died_before_its_expiry_was_enabled_gets_it_later(
    cloud: Cloud, table: str
) -> None:
    async with open_client("dynamodb", an_account(cloud), attempts=1) as client:
        wire = Wire(client)
        await StoreTable(cast(Client, wire), table, lambda _: None).prepare()
        await client.call(
            "update_time_to_live",
            TableName=table,
            TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"},
        )
        made = await StoreTable(cast(Client, wire), table, lambda _: None).prepare()

    ttl = cloud.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert not made
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires")


async def test_table_that_is_being_made_is_waited_for(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (_, wire):
        wire.making = 1
        made = await StoreTable(cast(Client, wire), table, lambda _: None).prepare()

    assert not made
    assert wire.calls[-4:] == [
        "describe_table",
        "describe_table",
        "transact_write_items",
        "describe_time_to_live",
    ]


async def test_table_of_somebody_else_is_left_alone(cloud: Cloud, table: str) -> None:
    make(cloud, table, ["id"])
    with pytest.raises(SettingError, match=f"--database .*{table} is not the scheduler's"):
        async with open_store(settings(cloud, table)):
            pass


async def test_server_without_transactions_is_told_at_once(cloud: Cloud, table: str) -> None:
    async with open_client("dynamodb", an_account(cloud), attempts=1) as client:
        wire = Plain(client)
        with pytest.raises(SettingError, match=f"--database .*{table} has no transactions"):
            await StoreTable(cast(Client, wire), table, lambda _: None).prepare()

    assert cloud.items(table) == []


async def test_index_without_all_attributes_is_told_at_once(cloud: Cloud, table: str) -> None:
    index = {"KeySchema": schema(["work", "at"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    make(cloud, table, ["pk", "sk"], GlobalSecondaryIndexes=[{"IndexName": "work", **index}])
    with pytest.raises(SettingError, match=table):
        async with open_store(settings(cloud, table)):
            pass


async def test_time_is_the_server_s(cloud: Cloud, table: str) -> None:
    clock = ServerClock()
    async with open_client("dynamodb", an_account(cloud), attempts=1) as client:
        wire = Wire(client)
        wire.date = "Wed, 21 Nov 2046 12:00:00 GMT"
        opened = StoreTable(cast(Client, wire), table, clock.told)
        await opened.prepare()
        store = TableStore(opened, clock.now, KEPT)
        await store.jobs.add(a_job())
        job = await store.jobs.find("j")

    assert job
    assert f"{job.created_at:%Y-%m-%d %H:%M}" == "2046-11-21 12:00"


async def test_late_index_starts_nothing_twice(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        run = await take_one(house)
        wire.late = True  # it still shows the job, and the run, as they were
        again = await house.plan()
        taken = await house.take(house.two)
        await house.one.finish(run, RunEnd(status="started"))

        assert await house.statuses() == ["started"]
    assert (again.due, taken) == (0, [])


async def test_late_index_does_not_bring_back_what_a_job_was(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        house.clock.on(minutes=1)
        old = await house.jobs.find("j")
        assert old
        await house.store.seconds_to_plan(1)  # the index is seen before the job is changed
        wire.late = True
        await house.jobs.change(old, a_job(taskCount=5))
        assert (await house.plan()).due == 0
        wire.late = False
        await house.plan()
        (run,) = await house.take(house.one)

    assert run.job.task_count == 5


async def test_late_index_hides_no_run_that_has_begun(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        house.clock.on(minutes=1)
        await house.plan()
        (first,) = await house.take(house.one)
        others = await house.one.claim(first)
        wire.late = True  # the index does not know of it, nor of what becomes of it
        await house.one.note(replace(first, wanted=1), others)
        await house.one.put_off(first, 60, "no room", failed=True)
        job = await house.jobs.find("j")
        assert job
        await run_now(house.store, job)
        wire.late = False
        (second,) = [run for run in await house.take(house.two) if run.cause == "manual"]
        wire.late = True
        seen = await house.two.claim(second)

    assert seen
    assert [(other.key, other.begun) for other in seen] == [(first.order, True)]


async def test_plan_whose_answer_is_lost_is_made_once(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        house.clock.on(minutes=1)
        wire.lost = 1
        with pytest.raises(DatabaseDown):
            await house.plan()
        assert (await house.plan()).due == 0

        assert await house.statuses() == ["due"]


async def test_run_that_was_taken_without_an_answer_is_taken_again(
    cloud: Cloud, table: str
) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        house.clock.on(minutes=1)
        await house.plan()
        wire.lost = 1
        with pytest.raises(DatabaseDown):
            await house.take(house.one)
        assert await house.take(house.one) == []
        house.clock.on(seconds=5)

        assert len(await house.take(house.one)) == 1


@pytest.mark.parametrize(
    "error",
    [
        Throttled(service="D", operation="o", code="ThrottlingException", text="slow down"),
        Rejected(service="D", operation="o", code="TransactionConflictException", text="busy"),
    ],
    ids=["throttled", "in the way of a transaction"],
)
async def test_what_was_surely_not_done_is_tried_again(
    cloud: Cloud, table: str, error: Exception
) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        run = await take_one(house)
        wire.errors = [error] * 3
        await house.one.finish(run, RunEnd(status="started"))

        assert await house.statuses() == ["started"]


async def test_plan_that_there_was_no_room_for_is_made_a_moment_later(
    cloud: Cloud, table: str
) -> None:
    refusal = Rejected(service="D", operation="o", code="TransactionCanceledException", text="no")
    refusal.reasons = ("None", "ThrottlingError")
    async with a_wired_house(cloud, table) as (house, wire):
        house.clock.on(minutes=1)
        wire.errors = [refusal] * 2

        assert (await house.plan()).due == 1


async def test_refusal_is_told_and_not_tried_again(cloud: Cloud, table: str) -> None:
    refusal = Rejected(service="D", operation="o", code="ValidationException", text="too large")
    async with a_wired_house(cloud, table) as (house, wire):
        run = await take_one(house)
        wire.errors = [refusal]
        with pytest.raises(DatabaseError, match=f"dynamodb://{table}.*ValidationException") as told:
            await house.one.finish(run, RunEnd(status="started"))

    assert not told.value.transient


async def test_plan_that_is_refused_keeps_back_no_other(cloud: Cloud, table: str) -> None:
    refusal = Rejected(service="D", operation="o", code="ValidationException", text="too large")
    async with a_wired_house(cloud, table) as (house, wire):
        for number in range(12):  # more than are planned side by side
            await house.jobs.add(a_job(f"j{number}"))
        house.clock.on(minutes=1)
        wire.errors = [refusal]
        with pytest.raises(DatabaseError, match="too large"):
            await house.plan()

        assert await house.statuses() == ["due"] * 12


async def test_what_is_over_expires_and_nothing_else(cloud: Cloud, table: str) -> None:
    kept = round((NOON + KEPT).timestamp())
    async with a_wired_house(cloud, table) as (house, _):
        house.clock.on(minutes=3)
        await house.plan()  # two are missed, one is due
        before = [run.get("expires") for run in await house.rows.runs()]
        (run,) = await house.take(house.one)
        await house.one.finish(run, RunEnd(status="skipped"))
        after = [run.get("expires") for run in await house.rows.runs()]

    assert before == [str(kept + 180), str(kept + 180), None]
    assert after == [str(kept + 180)] * 3


async def test_run_that_is_called_off_expires(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, _):
        house.clock.on(minutes=1)
        await house.plan()
        await house.jobs.remove("j")
        (run,) = await house.rows.runs()

    assert run["status"] == "skipped"
    assert run["expires"] == str(round((NOON + KEPT).timestamp()) + 60)


async def test_run_with_tasks_expires_when_their_outcome_is_known(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, _):
        run = await take_one(house)
        await house.one.finish(run, RunEnd(status="started", tasks=[{"taskId": "t"}]))
        (before,) = await house.rows.runs()
        ((started,), _) = await house.store.runs.take_started(10)
        await house.store.runs.note_outcome(started, "success", None)
        (after,) = await house.rows.runs()

    assert "expires" not in before
    assert "expires" in after


async def test_a_run_costs_six_writes(cloud: Cloud, table: str) -> None:
    async with a_wired_house(cloud, table) as (house, wire):
        wire.calls.clear()
        run = await take_one(house)
        await house.one.finish(run, RunEnd(status="started"))

    writes = [call for call in wire.calls if call not in ("get_item", "query")]
    # The first is a transaction of two: the run is entered, the job is moved on.
    assert writes == [
        "transact_write_items",
        "update_item",
        "update_item",
        "update_item",
        "update_item",
    ]


@pytest.mark.parametrize("url", ["dynamodb://", "dynamodb://a/b"])
async def test_url_names_one_table(cloud: Cloud, url: str) -> None:
    wrong = StoreSettings(database=url, region=REGION, endpoint_url=cloud.url)
    with pytest.raises(SettingError, match="must be dynamodb://TABLE"):
        async with open_store(wrong):
            pass
