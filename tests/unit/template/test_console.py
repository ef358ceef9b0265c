"""The stack of `watchbot console`, and the table of failures that it reads."""

from typing import Any

import pytest

from tests.support.stacks import SECRET, console, made_of, of_type, options, refer
from watchbot.errors import SettingError


def of_console(type_: str, **more: Any) -> dict[str, dict[str, Any]]:
    found = of_type(type_, made_of(console(**more)))
    return {name.removeprefix("Watchbot"): each for name, each in found.items()}


def test_console_has_no_queue_and_runs_once() -> None:
    assert of_console("SQS::Queue") == of_console("SNS::Subscription") == {}
    assert of_console("ECS::Service")["Service"]["DesiredCount"] == 1
    assert set(of_console("CloudWatch::Alarm")) == {"CpuAlarm", "MemoryAlarm"}


def test_console_is_told_what_it_shows_behind_a_token() -> None:
    more = {"token": SECRET, "port": 8300, "failures_table": "kept"}
    (container,) = of_console("ECS::TaskDefinition", **more)["TaskDefinition"][
        "ContainerDefinitions"
    ]
    told = {each["Name"]: each["Value"] for each in container["Environment"]}

    assert container["EntryPoint"] == ["watchbot", "console"]
    assert (told["WATCHBOT_HOST"], told["WATCHBOT_PORT"]) == ("0.0.0.0", "8300")
    assert told["WATCHBOT_QUEUE_PREFIX"] == "team-"
    assert told["WATCHBOT_FAILURES"] == {"Fn::Sub": ["dynamodb://${Table}", {"Table": "kept"}]}
    assert "WATCHBOT_DRAIN_TIMEOUT" not in told
    assert [each["ContainerPort"] for each in container["PortMappings"]] == [9090, 8300]
    assert container["Secrets"] == [{"Name": "WATCHBOT_TOKEN", "ValueFrom": SECRET}]


def test_console_may_act_on_its_queues_alone() -> None:
    (held,) = of_console("IAM::Role", failures_table="kept")["TaskRole"]["Policies"]
    listed, queues, table = held["PolicyDocument"]["Statement"]

    assert listed["Action"] == ["sqs:ListQueues", "cloudwatch:GetMetricData"]
    text, named = queues["Resource"]["Fn::Sub"]
    assert (text.endswith(":${Prefix}*"), named) == (True, {"Prefix": "team-"})
    assert {"sqs:TagQueue", "sqs:SendMessage", "sqs:DeleteMessage"} <= set(queues["Action"])
    assert table["Action"] == ["dynamodb:Query"]


def test_console_needs_to_know_its_queues() -> None:
    with pytest.raises(SettingError, match=r"--queue-prefix .*is missing"):
        made_of(console(queue_prefix=None))


def test_watchers_keep_failures_in_a_table_of_the_stack() -> None:
    resources = made_of(options(failures=True))
    (table,) = of_type("DynamoDB::Table", resources).values()
    (task,) = of_type("ECS::TaskDefinition", resources).values()
    told = {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}

    keys = [(each["AttributeName"], each["KeyType"]) for each in table["KeySchema"]]
    assert keys == [("part", "HASH"), ("at", "RANGE")]
    assert table["TimeToLiveSpecification"]["AttributeName"] == "expires"
    text, named = told["WATCHBOT_FAILURES"]["Fn::Sub"]
    assert (text, named) == ("dynamodb://${Table}", {"Table": refer("WatchbotFailuresTable")})
