"""Tests the fields of a job, and the errors for wrong ones."""

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.support.builders import job_fields
from watchbot.schedule.cron.dialects import Dialect
from watchbot.schedule.http.given import SHOWN, new_job
from watchbot.schedule.http.operations import spec
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.schedule.job.job import Job, resolved
from watchbot.schedule.job.problems import messages
from watchbot.settings.base import AwsEndpoint

SQS = {"type": "sqs", "queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q"}
SNS = {"type": "sns", "topicArn": "arn:aws:sns:eu-west-1:123456789012:t"}


def problems(given: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ValidationError) as refused:
        Job.model_validate(given)
    return messages(refused.value, Job)


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
        ({"overrides": 5}, "overrides", "Not a valid list."),
        ({"overrides": {"taskRole": "r"}}, "overrides", "nearest known one is taskRoleArn"),
        ({"overrides": {"cpu": 256}}, "overrides", "cpu must be a text"),
        ({"overrides": {"containerOverrides": [{"cpu": 5}]}}, "overrides", "needs a name"),
        (
            {"overrides": {"ephemeralStorage": {}}},
            "overrides",
            "ephemeralStorage.sizeInGiB is missing",
        ),
        (
            {"overrides": [{"containerName": "c", "cpu": "many"}]},
            "overrides.0.cpu",
            "Must be a whole number",
        ),
        (
            {"overrides": [{"containerName": "c", "command": "ls -l"}]},
            "overrides.0.command",
            "Must be a list",
        ),
        ({"tags": [{"ky": "a"}]}, "tags", "0.ky: Unknown field. The nearest known one is key"),
        ({"tags": [{"key": "a" * 129}]}, "tags", "0.key is longer than 128"),
        ({"tags": [{"key": f"k{n}"} for n in range(51)]}, "tags", "longer than 50"),
        ({"propagateTags": "ALL"}, "propagateTags", "Must be one of TASK_DEFINITION"),
        ({"enableExecuteCommand": "perhaps"}, "enableExecuteCommand", "boolean"),
        ({"placementConstraints": [{"type": "x"}]}, "placementConstraints", "0.type must be one"),
        ({"placementStrategy": {}}, "placementStrategy", "Must be a list"),
        ({"volumeConfigurations": [{}]}, "volumeConfigurations", "0.name is missing"),
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
    found: Any = problems(job_fields(**changed))
    for name in where.split("."):
        found = found[name]

    assert any(said in sentence for sentence in found)


def test_schedule_is_told_under_its_old_name_too() -> None:
    told = problems(job_fields(schedule="99"))

    assert told["parsedSchedule"] == told["schedule"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = problems({"taskCount": 0, "timezone": "x"})

    assert set(told) == {"id", "schedule", "parsedSchedule", "taskCount", "timezone"}


def test_numbers_may_come_as_text_as_they_always_could() -> None:
    job = Job.model_validate(job_fields(taskCount="3", maxCount=3.7, suspended="true"))

    assert (job.task_count, job.max_count, job.suspended) == (3, 3, True)


@pytest.mark.parametrize(
    ("given", "where", "nearest"),
    [
        ({"timeZone": "UTC"}, "timeZone", "timezone"),
        ({"sceduleStart": "2026-01-01"}, "sceduleStart", "scheduleStart"),
        ({"paused": True}, "paused", "suspended"),
        ({"enabled": False}, "enabled", "suspended"),
        ({"overlpa": "skip"}, "overlpa", "overlap"),
        ({"task_count": 2}, "task_count", "taskCount"),
        ({"trigger": {"type": "sqs", "queuename": "q"}}, "trigger.queuename", "queueName"),
        ({"overrides": [{"container": "c"}]}, "overrides.0.container", "containerName"),
        ({"target": {**SQS, "messag": "m"}}, "target.messag", "message"),
        ({"misfire": {"polciy": "all"}}, "misfire.polciy", "policy"),
        ({"retry": {"maxage": 5}}, "retry.maxage", "maxAge"),
    ],
)
def test_unknown_field_is_refused_with_the_nearest_known_name(
    given: dict[str, Any], where: str, nearest: str
) -> None:
    found: Any = problems(job_fields(**given))
    for name in where.split("."):
        found = found[name]

    assert found == [f"Unknown field. The nearest known one is {nearest}."]


def test_all_wrong_fields_are_named_at_once() -> None:
    told = problems(
        job_fields(
            timezone="Mars", schedule="0 61", taskCount=0, scheduleEnd="x", overlap="no", paused=1
        )
    )

    assert set(told) == {
        *("timezone", "schedule", "parsedSchedule", "taskCount", "scheduleEnd", "overlap"),
        "paused",
    }


def test_what_clients_of_ecs_scheduler_send_back_is_left_unread() -> None:
    shown = {"link": {}, "lastRun": "x", "lastRunTasks": [], "estimatedNextRun": "y"}
    job = new_job({**job_fields(), **shown, "parsedSchedule": {"minute": 1}}, "aps8")

    assert json.loads(job.stored()) == job_fields()


def test_end_may_be_spelled_as_ecs_scheduler_described_it() -> None:
    job = new_job(job_fields(scheduledEnd="2100-01-01"), "aps8")

    assert job.schedule_end == datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02t03:04:05z",
        "2026-01-02 03:04:05",
        "20260102T030405Z",
        "20260102T040405+0100",
        "Fri, 02 Jan 2026 03:04:05 GMT",
        "2 Jan 2026 04:04:05 +0100",
    ],
)
def test_times_as_ecs_scheduler_took_them(text: str) -> None:
    job = Job.model_validate(job_fields(scheduleStart=text))

    assert job.schedule_start == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026", "1767323045", "", "x" * 100, "9999-12-31T23:59:59-14:00", "Fri, 99 Jan 2026"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    assert "scheduleStart" in problems(job_fields(scheduleStart=text))


def test_empty_time_zone_is_utc() -> None:
    assert Job.model_validate(job_fields(timezone="")).timezone == "UTC"


URLS = {
    "https://sqs.eu-west-1.amazonaws.com/123456789012/q": True,
    "https://eu-west-1.queue.amazonaws.com/123456789012/q": True,
    "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q": True,
    "https://sqs-fips.us-east-1.amazonaws.com/123456789012/q": True,
    "https://vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q": True,
    "http://127.0.0.1:4566/000000000000/q": True,  # the configured endpoint
    "https://queues.example.com:9324/0/q": True,  # allowed with any port
    "https://other.example.com:9324/0/q": True,
    "https://other.example.com/0/q": False,
    "http://127.0.0.1:4567/000000000000/q": False,
    "http://169.254.169.254/latest/q": False,
    "https://evil.example/123456789012/q": False,
    "https://sqs.eu-west-1.amazonaws.com.evil.example/1/q": False,
    "https://sqs.eu-west-1.amazonaws.com@evil.example/1/q": False,
    "https://evil.execute-api.eu-west-1.amazonaws.com/1/q": False,
    "https://bucket.s3.eu-west-1.amazonaws.com/1/q": False,
    "http://vpce-0a-b.sqs.eu-west-1.vpce.amazonaws.com/1/q": False,  # not in the clear
    "https://sqs.eu-west-1.amazonaws.com:8080/1/q": False,
    "https://[x/1/q": False,
    "https://me@queues.example.com/1/q": False,
}


@pytest.mark.parametrize(("url", "allowed"), URLS.items())
def test_queues_are_on_servers_that_the_operator_allows(url: str, *, allowed: bool) -> None:
    aws = AwsEndpoint(endpoint_url="http://127.0.0.1:4566")
    endpoints = Endpoints(aws, ("queues.example.com", "other.example.com:9324"))
    given = job_fields(
        target={**SQS, "queueUrl": url, "message": "m"}, retry={"deadLetterQueue": url}
    )
    told: dict[str, Any] = {}
    try:
        Job.model_validate(given, context=endpoints)
    except ValidationError as invalid:
        told = messages(invalid, Job)

    assert (endpoints.refusal(url) is None) == allowed
    assert told.keys() == (set() if allowed else {"target", "retry"})


def test_description_has_the_fields_and_the_choices_of_a_job() -> None:
    described = spec()["definitions"]["Job"]["properties"]
    model = Job.model_json_schema()
    known = {name: each for name, each in described.items() if name not in SHOWN}

    assert known.keys() == model["properties"].keys()
    for name, each in known.items():
        assert set(each.get("enum", ())) == choices(model["properties"][name]), name
    assert set(described["dialect"]["enum"]) == set(get_args(Dialect))


def choices(schema: dict[str, Any]) -> set[str]:
    """The texts that a field takes, where there are no others."""
    every = (schema, *schema.get("anyOf", ()))
    return {text for each in every for text in each.get("enum", ())}


def test_start_is_stored_with_its_offset() -> None:
    job = Job.model_validate(job_fields(scheduleStart="2026-01-02T03:04:05"))

    assert json.loads(job.stored())["scheduleStart"] == "2026-01-02T03:04:05+00:00"


def test_question_marks_are_numbers_once_and_for_all() -> None:
    given = job_fields(schedule="? ? ? * * last_fri")
    chosen = resolved(given)["schedule"]

    assert "?" not in chosen
    assert chosen.endswith("* * last_fri")
    assert resolved({**given, "schedule": chosen})["schedule"] == chosen
