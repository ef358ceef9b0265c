"""Stacks as CloudFormation makes them: created, updated, deleted, and worked on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import watchbot
from tests.support.cloud import Cloud, running_cloud
from tests.support.cloudformation import Stacks, running_stacks
from tests.support.custom_resource import an_event, ask
from tests.support.log_filters import reading
from tests.support.stacks import VARIANTS, options, record
from watchbot.schedule.custom_resource import handler

EVENTS = Path(__file__).parents[2] / "support/events"
ASKED = {
    "WatchbotSubnets": "subnet-0a1b2c3d",
    "WatchbotDatabase": "/ecs/database",
    "WatchbotToken": "/schedule/token",
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def stacks(cloud: Cloud) -> Iterator[Stacks]:
    with running_stacks(cloud) as stacks:
        stacks.ecs.create_cluster(clusterName="shared")
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="built")
        s3.put_object(Bucket="built", Key="lambda/watchbot.zip", Body=b"a zip")
        yield stacks


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if VARIANTS[name].get("kind") in {None, "record"}]
)
def test_stack_is_created_updated_and_deleted(variant: str, stacks: Stacks, cloud: Cloud) -> None:
    name = variant.replace("_", "-")
    made = watchbot.template(VARIANTS[variant])
    wanted = {name: each["Type"] for name, each in made["Resources"].items()}

    outputs = stacks.create(name, made, **ASKED)
    assert stacks.kinds(name) == wanted
    changed = watchbot.template({**VARIANTS[variant], "visibility_timeout": 300})
    stacks.update(name, changed, **ASKED)
    urls = [url for output, url in outputs.items() if re.search("(?<!Letter)QueueUrl$", output)]
    assert {cloud.attributes(url)["VisibilityTimeout"] for url in urls} == {"300"}
    stacks.delete(name)
    assert cloud.sqs.list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if VARIANTS[name].get("kind") == "schedule"]
)
def test_stack_of_schedules_is_created_updated_and_deleted(
    variant: str, stacks: Stacks, cloud: Cloud
) -> None:
    made = watchbot.template(VARIANTS[variant])
    name = variant.replace("_", "-")

    outputs = stacks.create(name, made, **ASKED)
    assert stacks.kinds(name) == {name: each["Type"] for name, each in made["Resources"].items()}
    task = stacks.ecs.describe_task_definition(taskDefinition="schedule")["taskDefinition"]
    told = {each["name"]: each["value"] for each in task["containerDefinitions"][0]["environment"]}
    assert told["WATCHBOT_CLUSTER"] == outputs["WatchbotClusterName"]
    assert told["WATCHBOT_NOTIFICATION_TOPIC"] == outputs["WatchbotNotificationTopicArn"]
    for variable, told_of in {
        "WATCHBOT_STACKS_TABLE": outputs.get("SchedulerDynamoDBTable"),
        "WATCHBOT_DATABASE": _url(outputs.get("WatchbotDatabaseTable")),
    }.items():
        assert told.get(variable) == told_of
    stacks.update(name, watchbot.template({**VARIANTS[variant], "log_retention_days": 30}), **ASKED)
    stacks.delete(name)
    left = cloud.dynamodb.list_tables()["TableNames"]
    assert left == [outputs[each] for each in ("WatchbotDatabaseTable",) if each in outputs]


def _url(table: str | None) -> str | None:
    return table and f"dynamodb://{table}"


def test_stack_has_the_function_and_the_table_that_it_writes(
    stacks: Stacks, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    made = watchbot.template(VARIANTS["schedule_of_stacks"])
    outputs = stacks.create("declared", made, **ASKED)
    function = cloud.client("lambda").get_function(FunctionName=outputs["Token"])["Configuration"]
    table = outputs["SchedulerDynamoDBTable"]

    assert function["FunctionArn"] == outputs["TokenArn"]
    assert function["Handler"] == f"{handler.__module__}.{handler.__name__}"
    told = ask(an_event("Create", SchedulerDynamoDBTable=table))
    assert told["Status"] == "SUCCESS"
    (row,) = cloud.items(table)
    assert row["cron_time"] == {"S": "0 13 * * *"}


def test_database_of_schedules_is_keyed_as_it_is_asked(stacks: Stacks, cloud: Cloud) -> None:
    made = watchbot.template(VARIANTS["schedule_in_a_table"])
    table = stacks.create("kept", made, **ASKED)["WatchbotDatabaseTable"]
    found = cloud.dynamodb.describe_table(TableName=table)["Table"]
    (index,) = found["GlobalSecondaryIndexes"]

    assert [(key["AttributeName"], key["KeyType"]) for key in found["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]
    assert index["IndexName"] == "work"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["work", "at"]


def test_parts_of_a_stack_are_wired(stacks: Stacks, cloud: Cloud) -> None:
    outputs = stacks.create("wired", watchbot.template(options()), **ASKED)
    service = f"service/{outputs['WatchbotClusterName']}/{outputs['WatchbotServiceName']}"
    queue = outputs["WatchbotQueueUrl"].rpartition("/")[2]

    assert stacks.properties("wired", "WatchbotScalableTarget")["ResourceId"] == service
    alarm = stacks.properties("wired", "WatchbotQueueSizeAlarm")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    assert alarm["AlarmActions"] == [outputs["WatchbotNotificationTopicArn"]]
    assert outputs["WatchbotTopicArn"] in cloud.attributes(outputs["WatchbotQueueUrl"])["Policy"]


@pytest.mark.parametrize("form", [(), ("--structured-logging",)], ids=["text", "json"])
def test_failure_of_a_published_message_is_measured(
    form: tuple[str, ...], cloud: Cloud, stacks: Stacks
) -> None:
    made = watchbot.template(options())
    outputs = stacks.create("measured", made, **ASKED)
    cloud.sns.publish(TopicArn=outputs["WatchbotTopicArn"], Message="exit 1")
    done = cloud.listen(outputs["WatchbotQueueUrl"], *form, 'sh -c "$Message"')

    seen: dict[str, list[float]] = {}
    for resource in made["Resources"].values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            metric, values = readings(resource["Properties"], done.stdout.splitlines())
            seen.setdefault(metric, []).extend(values)

    assert seen["WatchbotWorkerErrors"] == [1]
    assert seen["WatchbotMessageReceives"] == [1]
    (ran_s,), (took_s,) = seen["WatchbotWorkerDuration"], seen["WatchbotResponseDuration"]
    assert 0 < ran_s <= took_s


@pytest.mark.parametrize("kind", ["standard", "fifo_topic"])
def test_doctor_finds_no_fault_with_a_stack_of_the_template(
    cloud: Cloud, stacks: Stacks, kind: str
) -> None:
    made = watchbot.template(options() if kind == "standard" else VARIANTS[kind])
    outputs = stacks.create("healthy", made, **ASKED)
    done = cloud.watchbot(
        *("doctor", "--queue-url", outputs["WatchbotQueueUrl"]),
        *("--topic", outputs["WatchbotTopicArn"]),
    )

    bad = [line for line in done.stdout.splitlines() if not line.startswith("ok")]
    assert (bad, done.returncode) == ([], 0)


def test_message_of_a_fifo_topic_reaches_the_queue(cloud: Cloud, stacks: Stacks) -> None:
    outputs = stacks.create("in-order", watchbot.template(VARIANTS["fifo_topic"]), **ASKED)
    topic, queue_url = outputs["WatchbotTopicArn"], outputs["WatchbotQueueUrl"]
    cloud.sns.publish(TopicArn=topic, Message="hello", MessageGroupId="a")

    done = cloud.listen(queue_url, 'echo "$MessageGroupId: $Message"')

    assert "a: hello" in done.stdout
    assert cloud.depth(queue_url) == (0, 0)


def test_event_reaches_the_record(cloud: Cloud, stacks: Stacks, tmp_path: Path) -> None:
    outputs = stacks.create("recorded", watchbot.template(record()), **ASKED)
    event = json.loads((EVENTS / "02_task_state_change_fargate.json").read_text())
    stacks.happen(event["source"], event["detail-type"], event["detail"])
    stacks.happen("aws.ecs", "AWS API Call via CloudTrail", {})
    assert cloud.depth(outputs["WatchbotQueueUrl"]) == (1, 0)
    database = f"sqlite:///{tmp_path}/ecs.db"

    done = cloud.watchbot(
        *("record", "--exit-when-empty", "--poll-wait", "1", "--database", database),
        env={"QueueUrl": outputs["WatchbotQueueUrl"]},
    )
    told = cloud.watchbot("tasks", "running", "--csv", "--database", database)

    assert done.returncode == 0, done.stderr
    assert event["detail"]["taskArn"].rpartition("/")[2] in told.stdout
    assert len(told.stdout.splitlines()) == 2


def readings(log_filter: dict[str, Any], lines: list[str]) -> tuple[str, list[float]]:
    """The metric that a filter feeds, and what it reads from these lines."""
    (fed,) = log_filter["MetricTransformations"]
    values = (reading(log_filter["FilterPattern"], fed["MetricValue"], line) for line in lines)
    return fed["MetricName"], [value for value in values if value is not None]
