"""The stack of `watchbot record`."""

import json
from typing import Any

from tests.support.stacks import (
    SECRET,
    made_of,
    of_type,
    record,
    refer,
)


def of_record(type_: str, **more: Any) -> dict[str, dict[str, Any]]:
    found = of_type(type_, made_of(record(**more)))
    return {name.removeprefix("Watchbot"): each for name, each in found.items()}


def test_record_gets_the_events_of_every_cluster() -> None:
    rule = of_record("Events::Rule")["EventsRule"]

    assert rule["EventPattern"]["source"] == ["aws.ecs"]
    assert "ECS Task State Change" in rule["EventPattern"]["detail-type"]
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": ["WatchbotQueue", "Arn"]}
    said = json.dumps(of_record("SQS::QueuePolicy"))
    assert said.count('"Service": "events.amazonaws.com"') == 2  # and what cannot be delivered


def test_record_has_its_database_from_a_secret() -> None:
    def secrets(**more: Any) -> list[dict[str, Any]]:
        task = of_record("ECS::TaskDefinition", **more)["TaskDefinition"]
        found: list[dict[str, Any]] = task["ContainerDefinitions"][0]["Secrets"]
        return found

    told = {"Name": "WATCHBOT_DATABASE", "ValueFrom": SECRET}
    assert secrets(database=SECRET) == [told]
    assert secrets() == [{**told, "ValueFrom": refer("WatchbotDatabase")}]
    assert made_of(record())["Parameters"]["WatchbotDatabase"]["Type"] == "String"


def test_record_runs_once_and_is_not_scaled() -> None:
    assert of_record("ECS::Service")["Service"]["DesiredCount"] == 1
    assert of_record("ApplicationAutoScaling::ScalingPolicy") == {}
    kept = {"retention": 90, "retention_tasks": 400}
    task = of_record("ECS::TaskDefinition", reconcile="a,b", **kept)["TaskDefinition"]
    (recorder,) = task["ContainerDefinitions"]
    told = {each["Name"]: each["Value"] for each in recorder["Environment"]}
    assert recorder["EntryPoint"] == ["watchbot", "record"]
    assert told["WATCHBOT_RECONCILE"] == {"Fn::Join": [",", ["a", "b"]]}
    assert told["WATCHBOT_RETENTION"] == "90"
    assert told["WATCHBOT_RETENTION_TASKS"] == "400"


def test_record_may_ask_ecs_only_where_it_reconciles() -> None:
    assert "ecs:ListTasks" in json.dumps(of_record("IAM::Role", reconcile="all"))
    assert "ecs:ListTasks" not in json.dumps(of_record("IAM::Role"))


def test_dead_letters_of_a_record_are_told() -> None:
    alarms = of_record("CloudWatch::Alarm")

    assert set(alarms) == {
        *("QueueSizeAlarm", "OldestMessageAlarm", "DeadLettersAlarm", "CpuAlarm", "MemoryAlarm")
    }
