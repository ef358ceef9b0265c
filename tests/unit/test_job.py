"""What a job may say, and what is said of one that is wrong."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from watchbot.schedule.job import Job, resolved
from watchbot.schedule.problems import messages

SQS = {"type": "sqs", "queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q"}
SNS = {"type": "sns", "topicArn": "arn:aws:sns:eu-west-1:123456789012:t"}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def fields(**changed: Any) -> dict[str, Any]:
    return {"id": "j", "schedule": "0 0 12", **changed}


def problems(given: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ValidationError) as refused:
        Job.model_validate(given)
    return messages(refused.value)


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"id": "a b"}, "id", "String does not match expected pattern."),
        ({"id": "x\n"}, "id", "String does not match expected pattern."),
        ({"id": 5}, "id", "Not a valid string."),
        ({"schedule": ""}, "schedule", "a schedule cannot be empty"),
        ({"schedule": "* * * mon_tue"}, "schedule", "mon_tue"),
        ({"schedule": "0 0 0 * * 31 2"}, "schedule", "it would never fire"),
        ({"schedule": 5}, "schedule", "Not a valid string."),
        ({"schedule": "*/0 * * * *", "dialect": "cron"}, "schedule", "step"),
        ({"dialect": "quartz"}, "dialect", "Must be one of"),
        ({"timezone": "Mars/Base"}, "timezone", "Invalid timezone format: Mars/Base"),
        ({"timezone": "../../etc/passwd"}, "timezone", "Invalid timezone format"),
        ({"taskCount": 0}, "taskCount", "Must be between 1 and 50."),
        ({"taskCount": 51}, "taskCount", "Must be between 1 and 50."),
        ({"taskCount": "many"}, "taskCount", "Not a valid integer."),
        ({"taskCount": True}, "taskCount", "Not a valid integer."),
        ({"maxCount": 1e300}, "maxCount", "Not a valid integer."),
        ({"scheduleStart": "soon"}, "scheduleStart", "Not a valid datetime."),
        ({"scheduleStart": 12}, "scheduleStart", "Not a valid datetime."),
        (
            {"scheduleStart": "2026-01-02", "scheduleEnd": "2026-01-01T00:00:00Z"},
            "scheduleEnd",
            "Must be after scheduleStart.",
        ),
        ({"suspended": "perhaps"}, "suspended", "Not a valid boolean."),
        ({"trigger": 3}, "trigger._schema", "Invalid input type."),
        ({"trigger": {}}, "trigger.type", "Missing data for required field."),
        (
            {"trigger": {"type": "sqs"}},
            "trigger._schema",
            "sqs trigger type requires queueName field",
        ),
        (
            {"trigger": {"type": "sqs", "queueName": "q", "messagesPerTask": 0}},
            "trigger.messagesPerTask",
            "Must be at least 1.",
        ),
        ({"overrides": {}}, "overrides", "Not a valid list."),
        ({"overrides": [{}]}, "overrides.0.containerName", "Missing data for required field."),
        (
            {"overrides": [{"containerName": "c", "environment": {"A": 1}}]},
            "overrides.0.environment.A",
            "Not a valid string.",
        ),
        (
            {"overrides": [{"containerName": "c", "environment": {"A": "x" * 9000}}]},
            "overrides",
            "8192",
        ),
        ({"launchType": "MAGIC"}, "launchType", "Must be one of"),
        ({"launchType": "FARGATE"}, "launchType", "FARGATE needs"),
        (
            {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]},
            "capacityProviderStrategy",
            "not both",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
            "networkConfiguration.awsvpcConfiguration.subnets",
            "at least 1",
        ),
        ({"target": {"type": "sns"}}, "target.topicArn", "Missing data for required field."),
        ({"target": {"type": "fax"}}, "target.type", "Must be one of"),
        ({"target": {**SQS, "message": ""}}, "target.message", "empty"),
        ({"target": {**SNS, "message": "m", "subject": "ü"}}, "target.subject", "pattern"),
        (
            {"target": {**SNS, "message": "m"}, "taskDefinition": "t"},
            "target",
            "not both",
        ),
        ({"overlap": "maybe"}, "overlap", "Must be one of"),
        ({"misfire": {"policy": "never"}}, "misfire.policy", "Must be one of"),
        ({"misfire": {"graces": 1}}, "misfire.graces", "Unknown field."),
        ({"jitter": -1}, "jitter", "Must be at least 0."),
        ({"retry": {"attempts": 0}}, "retry.attempts", "Must be at least 1."),
        ({"retry": {"deadLetterQueue": "q"}}, "retry.deadLetterQueue", "pattern"),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict) else None,
)
def test_wrong_field_is_named(changed: dict[str, Any], where: str, said: str) -> None:
    found: Any = problems(fields(**changed))
    for name in where.split("."):
        found = found[name]

    assert any(said in sentence for sentence in found)


def test_schedule_is_told_under_its_old_name_too() -> None:
    told = problems(fields(schedule="99"))

    assert told["parsedSchedule"] == told["schedule"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = problems({"taskCount": 0, "timezone": "x"})

    assert set(told) == {"id", "schedule", "parsedSchedule", "taskCount", "timezone"}


def test_numbers_may_come_as_text_as_they_always_could() -> None:
    job = Job.model_validate(fields(taskCount="3", maxCount=3.7, suspended="true"))

    assert (job.task_count, job.max_count, job.suspended) == (3, 3, True)


def test_what_is_not_known_is_not_stored() -> None:
    job = Job.model_validate(fields(parsedSchedule={"minute": 1}, lastRun="x", task_count=9))

    assert json.loads(job.stored()) == fields()


def test_start_is_stored_with_its_offset() -> None:
    job = Job.model_validate(fields(scheduleStart="2026-01-02T03:04:05"))

    assert json.loads(job.stored())["scheduleStart"] == "2026-01-02T03:04:05+00:00"


def test_question_marks_are_numbers_once_and_for_all() -> None:
    given = fields(schedule="? ? ? * * last_fri")
    chosen = resolved(given)["schedule"]

    assert "?" not in chosen
    assert chosen.endswith("* * last_fri")
    assert resolved({**given, "schedule": chosen})["schedule"] == chosen


def test_fargate_with_a_network() -> None:
    job = Job.model_validate(fields(launchType="FARGATE", networkConfiguration=NETWORK))

    assert json.loads(job.stored())["networkConfiguration"] == NETWORK
