"""`watchbot dead-letter --stack-name`: the stacks of ecs-watchbot, and others."""

import json
import subprocess
from typing import Any

import pytest

from tests.cloud import Cloud

LOG_GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:{name}:*"


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


def run(cloud: Cloud, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return cloud.watchbot("dead-letter", "-s", name, "-r", "us-east-1", *words)


def test_outputs_of_ecs_watchbot_name_queues_and_logs(cloud: Cloud) -> None:
    stack(cloud, "nine", watchbot("Watchbot"))
    cloud.send(url(cloud, "WatchbotDeadLetterQueue"), "x")
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="Watchbot")

    nothing = run(cloud, "nine", "logs", "some-id")
    replayed = run(cloud, "nine", "replay", "--match", "x")

    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "no line about some-id in arn:aws:logs" in nothing.stderr
    assert (replayed.returncode, replayed.stdout) == (0, "1 replayed, 0 kept\n")
    assert cloud.depth(url(cloud, "WatchbotQueue")) == (1, 0)


def test_stack_with_several_asks_which(cloud: Cloud) -> None:
    stack(cloud, "two", watchbot("First"), watchbot("Second"))
    dead = url(cloud, "SecondDeadLetterQueue")
    cloud.send(dead, "x")

    unclear = run(cloud, "two", "list")
    clear = run(cloud, "two", "list", "--json", "--dead-letter-queue-url", dead)

    assert unclear.returncode == 2
    assert "the stack has several; name one: First (http" in unclear.stderr
    assert json.loads(clear.stdout)["text"] == "x"


def test_stack_of_version_10_is_known_by_its_queues(cloud: Cloud) -> None:
    resources = {"Q": queue("ten", "D"), "D": queue("ten-dead")}
    stack(cloud, "ten", (resources, {"TopicOutput": {"Value": "arn"}}))
    cloud.send(url(cloud, "ten-dead"), "x")

    done = run(cloud, "ten", "replay", "--match", "x")

    assert (done.returncode, done.stdout) == (0, "1 replayed, 0 kept\n")


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

    done = run(cloud, name, "list")

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert problem in done.stderr
