"""Schedules of stacks: the custom resource as CloudFormation calls it, and the jobs it makes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.cloud import REGION, Cloud, running_cloud
from tests.support.custom_resource import CLUSTER, TASK, Lambda, an_event, answers, ask
from tests.support.house import a_house
from tests.support.programs import assert_refused
from watchbot.schedule.custom_resource import MAX_ANSWER_BYTES, StackAnswer, answer, physical_id
from watchbot.schedule.imports.clockwork import fields_of_row
from watchbot.schedule.imports.stacks import Stacks
from watchbot.schedule.job.job import Job
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.store import Jobs
from watchbot.settings.base import AwsEndpoint


def test_request_is_answered_by_hand(cloud: Cloud, table: Any) -> None:
    with answers() as (url, sent):
        done = cloud.watchbot(
            *("schedule", "custom-resource"),
            stdin=json.dumps({**an_event("Create"), "ResponseURL": url}),
        )
    (body,) = sent

    assert done.returncode == 0, done.stderr
    assert json.loads(body)["Status"] == "SUCCESS"
    assert [row["name"] for row in table.scan()["Items"]] == ["report"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("x", 2, "not JSON"),
        ("[]", 2, "no JSON object"),
        ("{}", 2, "it has no RequestType, ResponseURL"),
        (json.dumps({**an_event("Delete"), "ResponseURL": "http://127.0.0.1:9/"}), 2, "Physical"),
        (
            json.dumps({**an_event("Delete", "wb-1"), "ResponseURL": "http://127.0.0.1:9/"}),
            1,
            "could not be sent",
        ),
        ("[" * 100_000, 2, "not JSON"),
        (
            json.dumps({**an_event("Create"), "ResponseURL": "x", "ResourceProperties": 7}),
            2,
            "ResourceProperties are no JSON object",
        ),
        (json.dumps({**an_event("Create"), "ResponseURL": "http://h:x/"}), 1, "could not be sent"),
    ],
    ids=["text", "list", "empty", "nameless", "nobody", "deep", "properties", "port"],
)
def test_what_cannot_be_answered_by_hand(
    cloud: Cloud, table: Any, text: str, code: int, said: str
) -> None:
    done = cloud.watchbot("schedule", "custom-resource", stdin=text)

    assert_refused(done, code, said)


def test_answer_to_names_that_fill_it_has_no_reason() -> None:
    event = {**an_event("Create"), "StackId": "s" * MAX_ANSWER_BYTES}

    body = json.loads(answer(event, StackAnswer(physical_id="wb-1", reason="it is wrong")))

    assert (body["Status"], "Reason" in body) == ("FAILED", False)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def table(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty table of clockwork's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    dynamodb: Any = boto3.resource("dynamodb", region_name=REGION, endpoint_url=cloud.url)
    table = dynamodb.create_table(
        TableName="schedules",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield table
    table.delete()
    dynamodb.meta.client.close()


def rows(table: Any) -> dict[str, Any]:
    return {row["id"]: row for row in table.scan()["Items"]}


def test_create_is_a_row_that_clockwork_could_read(table: Any) -> None:
    told = ask(an_event("Create"))
    again = ask(an_event("Create"))  # as Lambda does when it is in doubt

    (row,) = rows(table).values()
    assert told == again
    assert told["Status"] == "SUCCESS"
    assert row["id"] == told["PhysicalResourceId"]
    assert (row["cron_time"], row["definition_arn"], row["ecs_cluster_arn"], row["name"]) == (
        "0 13 * * *",
        TASK,
        CLUSTER,
        "report",
    )


def test_update_keeps_the_name_and_replacement_changes_it(table: Any) -> None:
    made = ask(an_event("Create"))["PhysicalResourceId"]
    updated = ask(an_event("Update", made, CronTime="0 14 * * *"))
    moved = physical_id(an_event("Update", made, SchedulerDynamoDBTable="other"))

    assert updated["PhysicalResourceId"] == made
    assert rows(table)[made]["cron_time"] == "0 14 * * *"
    assert moved != made


def test_schedule_that_clockwork_made_keeps_its_name(table: Any) -> None:
    old = "6f1c1c1e-0000-4000-8000-000000000000"

    told = ask(an_event("Update", old))

    assert told["PhysicalResourceId"] == old
    assert set(rows(table)) == {old}


def test_delete_takes_the_row_away_and_succeeds_where_there_is_none(table: Any) -> None:
    made = ask(an_event("Create"))["PhysicalResourceId"]

    first = ask(an_event("Delete", made, CronTime="nonsense"))
    second = ask(an_event("Delete", made))
    without_table = ask(an_event("Delete", made, SchedulerDynamoDBTable="gone"))

    assert {told["Status"] for told in (first, second, without_table)} == {"SUCCESS"}
    assert rows(table) == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CronTime": "*/0 * * * *"}, "step"),
        ({"CronTime": None}, "schedule"),
        ({"Timezone": "Mars/Base"}, "Invalid timezone format"),
        ({"Crontime": "0 1 * * *"}, "no property Crontime"),
        ({"Schedule": "0 1 * * *"}, "given twice"),
        ({"SchedulerDynamoDBTable": None}, "SchedulerDynamoDBTable"),
        ({"SchedulerDynamoDBTable": "nowhere"}, "ResourceNotFound"),
        ({"Timezone": "é" * 9000}, "Invalid timezone format"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_failed_create_says_why_and_is_cleaned_up(
    table: Any, changed: dict[str, Any], said: str
) -> None:
    told = ask(an_event("Create", **changed))

    assert told["Status"] == "FAILED"
    assert said in told["Reason"]
    assert ask(an_event("Delete", told["PhysicalResourceId"]))["Status"] == "SUCCESS"
    assert rows(table) == {}


def test_failed_update_keeps_the_old_name(table: Any) -> None:
    made = ask(an_event("Create"))["PhysicalResourceId"]

    told = ask(an_event("Update", made, CronTime="99 * * * *", SchedulerDynamoDBTable="other"))

    assert (told["Status"], told["PhysicalResourceId"]) == ("FAILED", made)
    assert rows(table)[made]["cron_time"] == "0 13 * * *"


def test_answer_is_sent_before_the_time_is_over(table: Any) -> None:
    told = ask(an_event("Create"), Lambda(seconds=2))

    assert told["Status"] == "FAILED"
    assert "in time" in told["Reason"]
    assert rows(table) == {}


def test_properties_beyond_those_of_clockwork(table: Any) -> None:
    changed = {"CronTime": None, "TaskDefinitionArn": None, "ECSClusterArn": None}
    target = {"Type": "sqs", "QueueUrl": "https://q/1/q", "Message": "m"}
    misfire = {"Policy": "all", "Max": "3"}
    told = ask(
        an_event(
            "Create",
            **changed,
            Schedule="rate(5 minutes)",
            Timezone="Europe/Berlin",
            Target=target,
            Misfire=misfire,
            Overlap="skip",
        )
    )

    (row,) = rows(table).values()
    job = Job.model_validate({**fields_of_row(row), "id": row["id"]})
    assert told["Status"] == "SUCCESS"
    assert (job.schedule, job.dialect, job.timezone) == (
        "rate(5 minutes)",
        "eventbridge",
        "Europe/Berlin",
    )
    assert (job.misfire.policy, job.misfire.max, job.overlap) == ("all", 3, "skip")
    assert job.target


async def test_jobs_follow_the_table_and_survive_its_loss(
    cloud: Cloud, table: Any, tmp_path: Path
) -> None:
    table.put_item(Item={"id": "a", "cron_time": "0 1 * * *", "definition_arn": TASK})
    table.put_item(Item={"id": "b", "cron_time": "*/0 * * * *", "definition_arn": TASK})
    aws = AwsEndpoint(region=REGION, endpoint_url=cloud.url)
    async with a_house(f"sqlite:///{tmp_path}/s.db") as house, Clients(aws, 2) as clients:
        jobs = house.jobs
        await jobs.add(Job.model_validate({"id": "own", "schedule": "0"}))
        await Stacks(clients, "schedules", jobs).follow()
        followed = await _schedules(jobs)
        table.put_item(Item={"id": "a", "cron_time": "0 2 * * *", "definition_arn": TASK})
        await Stacks(clients, "schedules", jobs).follow()
        changed = await _schedules(jobs)
        stored = await jobs.find("a")
        assert stored
        await jobs.change(stored, Job.model_validate({**stored.fields, "suspended": True}), "n")
        await Stacks(clients, "schedules", jobs).follow()
        await Stacks(clients, "nowhere", jobs).follow()  # it cannot be read
        paused = await jobs.find("a")
        table.delete_item(Key={"id": "a"})
        await Stacks(clients, "schedules", jobs).follow()

        assert followed == {"a": "0 1 * * *", "own": "0"}
        assert changed == {"a": "0 2 * * *", "own": "0"}
        assert paused
        assert paused.job.suspended
        assert await _schedules(jobs) == {"own": "0"}


async def _schedules(jobs: Jobs) -> dict[str, str]:
    found, _ = await jobs.page(0, 100)
    return {stored.job.id: stored.job.schedule for stored in found}
