"""The stack of `watchbot schedule`."""

from typing import Any

from tests.support.stacks import (
    ECS,
    SECRET,
    made_of,
    of_type,
    refer,
    schedule,
)


def of_schedule(type_: str, **more: Any) -> dict[str, dict[str, Any]]:
    found = of_type(type_, made_of(schedule(**more)))
    return {name.removeprefix("Watchbot"): each for name, each in found.items()}


def granted(**more: Any) -> dict[str, dict[str, Any]]:
    """The permissions of a scheduler's tasks: a statement by its first action."""
    (held,) = of_schedule("IAM::Role", **more)["TaskRole"]["Policies"]
    return {each["Action"][0]: each for each in held["PolicyDocument"]["Statement"]}


def test_schedule_has_no_queue_and_runs_once() -> None:
    assert of_schedule("SQS::Queue") == of_schedule("SNS::Subscription") == {}
    assert of_schedule("ECS::Service")["Service"]["DesiredCount"] == 1
    assert set(of_schedule("CloudWatch::Alarm")) == {"NoTasksAlarm", "CpuAlarm", "MemoryAlarm"}
    assert of_schedule("CloudWatch::Alarm")["NoTasksAlarm"]["TreatMissingData"] == "breaching"


def test_schedule_is_told_where_it_is_and_has_its_secrets() -> None:
    task = of_schedule("ECS::TaskDefinition", token=SECRET, port=8080)["TaskDefinition"]
    (container,) = task["ContainerDefinitions"]
    told = {each["Name"]: each["Value"] for each in container["Environment"]}

    assert container["EntryPoint"] == ["watchbot", "schedule"]
    assert (told["WATCHBOT_HOST"], told["WATCHBOT_PORT"]) == ("0.0.0.0", "8080")
    assert told["WATCHBOT_CLUSTER"] == refer("WatchbotCluster")
    assert "QueueUrl" not in told
    assert [each["ContainerPort"] for each in container["PortMappings"]] == [9090, 8080]
    assert container["Secrets"] == [
        {"Name": "WATCHBOT_DATABASE", "ValueFrom": refer("WatchbotDatabase")},
        {"Name": "WATCHBOT_TOKEN", "ValueFrom": SECRET},
    ]


def test_schedule_may_do_what_its_options_name_alone() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:q"
    role = "arn:aws:iam::123456789012:role/report"
    assert set(granted()) == {"sns:Publish"}

    may = granted(cluster="blue", task_definitions="report", task_roles=role, trigger_queues=queue)
    assert may["ecs:RunTask"]["Resource"] == [
        {"Fn::Sub": f"{ECS}:task-definition/report:*"},
    ]
    there = {"Fn::Sub": [f"{ECS}:cluster/${{Cluster}}", {"Cluster": "blue"}]}
    assert may["ecs:RunTask"]["Condition"] == {"ArnEquals": {"ecs:cluster": there}}
    assert may["ecs:ListTasks"]["Condition"] == may["ecs:RunTask"]["Condition"]
    assert may["iam:PassRole"]["Resource"] == [role]
    assert may["iam:PassRole"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }
    assert may["sqs:GetQueueAttributes"]["Resource"] == [queue]
    sent = of_schedule("IAM::Role", destinations=queue)["TaskRole"]["Policies"][0]
    assert sent["PolicyDocument"]["Statement"][-1] == {
        "Effect": "Allow",
        "Action": ["sns:Publish", "sqs:SendMessage"],
        "Resource": [queue],
    }
