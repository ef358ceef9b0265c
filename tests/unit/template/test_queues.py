"""Stacks with several queues, which one service works on."""

import json
import re
from typing import Any

import pytest

import watchbot
from tests.benchmarks.scaling import arithmetic
from tests.support.inside import run
from tests.support.stacks import options
from watchbot.settings.base import load
from watchbot.settings.listen import ListenSettings


def resources(kind: str, **more: Any) -> dict[str, dict[str, Any]]:
    made = watchbot.template(options(**{"queues": {"high": 3, "low": 1}, **more}))
    return {
        name: each.get("Properties", {})
        for name, each in made["Resources"].items()
        if each["Type"] == f"AWS::{kind}"
    }


def test_flags_say_what_python_says() -> None:
    words = ("--service", "resize", "--image", options()["image"], "--command", "./resize.sh")
    done = run("template", *words, "--queues", "high=3", "--queues", "low=1")

    assert json.loads(done.out) == watchbot.template(options(queues={"high": 3, "low": 1}))
    assert json.loads(done.out) == watchbot.template(options(queues="high=3,low"))


def test_each_queue_has_its_own_dead_letter_queue() -> None:
    queues = resources("SQS::Queue")

    assert {name: each.get("RedrivePolicy", {}) for name, each in queues.items()} == {
        f"Watchbot{name}{what}": {
            "deadLetterTargetArn": {"Fn::GetAtt": [f"Watchbot{name}DeadLetterQueue", "Arn"]},
            "maxReceiveCount": 10,
        }
        if what == "Queue"
        else {}
        for name in ("High", "Low")
        for what in ("Queue", "DeadLetterQueue")
    }
    assert len(resources("SQS::QueuePolicy")) == 4


def test_each_queue_has_its_topic() -> None:
    wired = {
        each["TopicArn"]["Ref"]: each["Endpoint"]["Fn::GetAtt"][0]
        for each in resources("SNS::Subscription").values()
    }

    assert wired == {
        "WatchbotHighTopic": "WatchbotHighQueue",
        "WatchbotLowTopic": "WatchbotLowQueue",
    }


def test_watcher_reads_all_of_them_with_their_weights() -> None:
    (task,) = resources("ECS::TaskDefinition").values()
    variables = {
        each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]
    }
    text, named = variables["QueueUrl"]["Fn::Sub"]
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
    given = re.sub(r"\$\{(\w+)\}", lambda found: url + named[found[1]]["Ref"], text)

    queues = load(ListenSettings, {"queue_url": given}).queues
    assert [(each.url, each.weight) for each in queues] == [
        (f"{url}WatchbotHighQueue", 3),
        (f"{url}WatchbotLowQueue", 1),
    ]
    assert variables["WorkTopic"] == {"Ref": "WatchbotHighTopic"}


def test_service_may_read_the_tags_of_its_queues_and_set_none() -> None:
    role = resources("IAM::Role")["WatchbotTaskRole"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    may: dict[str, Any] = {
        action: statement["Resource"] for statement in statements for action in statement["Action"]
    }
    both = [{"Fn::GetAtt": [f"Watchbot{name}Queue", "Arn"]} for name in ("High", "Low")]

    assert may["sqs:ListQueueTags"] == may["sqs:ReceiveMessage"] == both
    assert not {action for action in may if "TagQueue" in action}


def test_each_queue_has_its_alarms_and_widgets() -> None:
    alarms = resources("CloudWatch::Alarm")

    for name in ("QueueSize", "OldestMessage", "DeadLetters"):
        for queue in ("high", "low"):
            alarm = alarms[f"Watchbot{queue.title()}{name}Alarm"]
            assert alarm["AlarmDescription"].startswith(f"Queue {queue}: ")
            assert alarm["AlarmDescription"].endswith(f"#{name.lower()}")
    assert "WatchbotWorkerErrorsAlarm" in alarms
    (dashboard,) = resources("CloudWatch::Dashboard").values()
    text, named = dashboard["DashboardBody"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(\w+(?:Queue|Dead))\}", text)) < set(named)
    titles = [each["properties"]["title"] for each in json.loads(text)["widgets"]]
    assert {"high: Dead messages", "low: Dead messages"} < set(titles)


@pytest.mark.parametrize(
    ("counts", "tasks"),
    [
        ({"visible0": 30, "in_flight0": 0, "visible1": 0, "in_flight1": 0}, 30),
        ({"visible0": 0, "in_flight0": 0, "visible1": 30, "in_flight1": 0}, 10),
        ({"visible0": 6, "in_flight0": 3, "visible1": 2, "in_flight1": 1}, 10),
        ({"visible0": 0, "in_flight0": 0, "visible1": 1, "in_flight1": 0}, 1),
        ({"visible0": 5, "in_flight0": 0}, 5),  # nobody has used the other for six hours
    ],
)
def test_backlogs_ask_for_tasks_by_their_weights(counts: dict[str, int], tasks: int) -> None:
    alarms = resources("CloudWatch::Alarm", max_size=1000)

    assert asked(alarms["WatchbotBacklogAlarm"], counts) == tasks
    assert asked(alarms["WatchbotEmptyAlarm"], counts) == sum(counts.values())


def asked(alarm: dict[str, Any], counts: dict[str, int]) -> float:
    """The value of an alarm where no task runs; counts that are left out have no metric."""
    names = [each["Id"] for each in alarm["Metrics"] if "MetricStat" in each]
    return arithmetic(alarm, {**dict.fromkeys(names), **counts})


def test_fifo_queues_ask_while_all_workers_are_busy() -> None:
    alarm = resources("CloudWatch::Alarm", max_size=1000, fifo=True)["WatchbotBacklogAlarm"]
    waiting = {"visible0": 9, "visible1": 3, "in_flight0": 1, "in_flight1": 1, "reported": 2}

    assert asked(alarm, waiting) == 10
    assert asked(alarm, {**waiting, "in_flight1": 0}) == 0


@pytest.mark.parametrize("number", [2, 4])
def test_alarms_stay_within_the_limits_of_cloudwatch(number: int) -> None:
    for alarm in resources("CloudWatch::Alarm", queues="a,b,c,d"[: 2 * number - 1]).values():
        metrics = alarm.get("Metrics", [])
        assert sum("MetricStat" in each for each in metrics) <= 10
        assert sum("Expression" in each for each in metrics) <= 10


def test_outputs_name_each_queue() -> None:
    made = watchbot.template(options(queues={"high": 3, "low": 1}))

    for name in ("QueueUrl", "QueueArn", "DeadLetterQueueUrl", "TopicArn"):
        assert {f"WatchbotHigh{name}", f"WatchbotLow{name}"} <= set(made["Outputs"])
    assert made.ref["high_queue_url"] == {"Ref": "WatchbotHighQueue"}
    assert made.ref["low_dead_letter_queue_url"] == {"Ref": "WatchbotLowDeadLetterQueue"}


def test_user_may_send_to_all_and_the_webhook_to_the_first() -> None:
    (user,) = resources("IAM::User", user=True, fifo=True).values()
    (statement,) = user["Policies"][0]["PolicyDocument"]["Statement"]
    assert [each["Fn::GetAtt"][0] for each in statement["Resource"]] == [
        "WatchbotHighQueue",
        "WatchbotLowQueue",
    ]

    role = resources("IAM::Role", webhook=True)["WatchbotWebhookRole"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == {"Ref": "WatchbotHighTopic"}
