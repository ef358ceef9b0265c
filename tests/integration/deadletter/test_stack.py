"""`watchbot dead-letter --stack-name`: the stacks of ecs-watchbot, and others."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import Cloud, running_cloud
from tests.support.inside import Done, run
from tests.support.stacks import options
from watchbot import template

LOG_GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:{name}:*"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


def queue(name: str, dead: str | None = None) -> dict[str, Any]:
    properties: dict[str, Any] = {"QueueName": name}
    if dead:
        target = {"Fn::GetAtt": [dead, "Arn"]}
        properties["RedrivePolicy"] = {"deadLetterTargetArn": target, "maxReceiveCount": 5}
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def watchbot(prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resources and outputs as ecs-watchbot 4 to 9 had them, before each name a prefix."""
    resources = {
        f"{prefix}Queue": queue(f"{prefix}Queue", f"{prefix}DeadLetterQueue"),
        f"{prefix}DeadLetterQueue": queue(f"{prefix}DeadLetterQueue"),
    }
    outputs = {
        f"{prefix}DeadLetterQueueUrl": {"Value": {"Ref": f"{prefix}DeadLetterQueue"}},
        f"{prefix}QueueUrl": {"Value": {"Ref": f"{prefix}Queue"}},
        f"{prefix}LogGroup": {"Value": LOG_GROUP.format(name=prefix)},
    }
    return resources, outputs


def stack(cloud: Cloud, name: str, *parts: tuple[dict[str, Any], dict[str, Any]]) -> None:
    template: dict[str, Any] = {"Resources": {}, "Outputs": {}}
    for resources, outputs in parts:
        template["Resources"] |= resources
        template["Outputs"] |= outputs
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def url(cloud: Cloud, name: str) -> str:
    found: str = cloud.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return found


def run_on(cloud: Cloud, name: str, *words: str) -> Done:
    """Runs `watchbot dead-letter` on a stack."""
    where = ("-s", name, "-r", "us-east-1", "--endpoint-url", cloud.url)
    return run("dead-letter", *where, "--poll-wait", "0", *words)


def test_outputs_of_ecs_watchbot_name_queues_and_logs(cloud: Cloud) -> None:
    stack(cloud, "nine", watchbot("Watchbot"))
    cloud.send(url(cloud, "WatchbotDeadLetterQueue"), "x")
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="Watchbot")

    nothing = run_on(cloud, "nine", "logs", "some-id")
    replayed = run_on(cloud, "nine", "replay", "--match", "x")

    assert (nothing.code, nothing.out) == (1, "")
    assert "no line about some-id in arn:aws:logs" in nothing.err
    assert (replayed.code, replayed.out) == (0, "1 replayed, 0 kept\n")
    assert cloud.depth(url(cloud, "WatchbotQueue")) == (1, 0)


def test_outputs_of_our_own_template_are_understood(cloud: Cloud) -> None:
    # Queues and outputs alone: the rest of the stack is its own tests' affair.
    made = template(options())
    kept = {"WatchbotQueue", "WatchbotDeadLetterQueue"}
    resources = {name: made["Resources"][name] for name in kept}
    outputs = {name: made["Outputs"][name] for name in made["Outputs"] if "Queue" in name}
    stack(cloud, "ours", (resources, outputs))
    [dead] = [
        url for url in cloud.sqs.list_queues()["QueueUrls"] if "ours-" in url and "Dead" in url
    ]
    cloud.send(dead, "x")

    done = run_on(cloud, "ours", "replay", "--match", "x")

    assert (done.code, done.out) == (0, "1 replayed, 0 kept\n")


def test_stack_with_several_asks_which(cloud: Cloud) -> None:
    stack(cloud, "two", watchbot("First"), watchbot("Second"))
    dead = url(cloud, "SecondDeadLetterQueue")
    cloud.send(dead, "x")

    unclear = run_on(cloud, "two", "list")
    clear = run_on(cloud, "two", "list", "--json", "--dead-letter-queue-url", dead)
    wrong = run_on(cloud, "two", "list", "--dead-letter-queue-url", f"{dead}-not")

    assert (unclear.code, wrong.code) == (2, 2)
    assert "is none of the stack's; it has First (http" in wrong.err
    assert "the stack has several; name one: First (http" in unclear.err
    assert json.loads(clear.out)["text"] == "x"


def test_queues_of_one_service_have_its_logs(cloud: Cloud) -> None:
    parts = watchbot("WatchbotHigh"), watchbot("WatchbotLow")
    for _, outputs in parts:
        outputs.pop(next(name for name in outputs if name.endswith("LogGroup")))
    stack(cloud, "weighted", *parts, ({}, {"WatchbotLogGroup": {"Value": "of-both"}}))
    cloud.client("logs").create_log_group(logGroupName="of-both")
    dead = url(cloud, "WatchbotHighDeadLetterQueue")

    done = run_on(cloud, "weighted", "logs", "some-id", "--dead-letter-queue-url", dead)

    assert (done.code, done.out) == (1, "")
    assert "no line about some-id in of-both" in done.err


def test_stack_of_version_10_is_known_by_its_queues(cloud: Cloud) -> None:
    resources = {"Q": queue("ten", "D"), "D": queue("ten-dead")}
    stack(cloud, "ten", (resources, {"TopicOutput": {"Value": "arn"}}))
    cloud.send(url(cloud, "ten-dead"), "x")

    done = run_on(cloud, "ten", "replay", "--match", "x")

    assert (done.code, done.out) == (0, "1 replayed, 0 kept\n")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("nowhere", "there is no stack nowhere here", id="no such stack"),
        pytest.param("bare", "the stack bare has no dead-letter queue", id="no watchbot"),
    ],
)
def test_stack_that_does_not_help_is_one_line(cloud: Cloud, name: str, problem: str) -> None:
    if name == "bare":
        stack(cloud, "bare", ({"Q": queue("bare")}, {"Name": {"Value": "x"}}))

    done = run_on(cloud, name, "list")

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert problem in done.err
