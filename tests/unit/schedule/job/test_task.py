"""The options of RunTask in a job, and what ECS is asked for."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.builders import job_fields
from watchbot.api_model import shapes
from watchbot.schedule.http.operations import spec
from watchbot.schedule.job.job import Job, read_job
from watchbot.schedule.job.part import JobPart
from watchbot.schedule.job.task import TAG, AwsVpc, CapacityProvider, Override
from watchbot.schedule.start.cluster import request
from watchbot.schedule.store.run import LeasedRun, StartCall

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def test_every_parameter_of_run_task_is_a_field_of_a_job() -> None:
    ours = {"cluster", "count", "startedBy", "clientToken", "taskDefinition"}
    known = {field.alias for field in Job.model_fields.values()}
    members = shapes("ecs")["RunTaskRequest"]["members"].keys()

    assert members - ours <= known


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (AwsVpc, "AwsVpcConfiguration"),
        (CapacityProvider, "CapacityProviderStrategyItem"),
        (Override, "ContainerOverride"),
    ],
)
def test_parts_have_the_fields_that_ecs_has(part: type[JobPart], shape: str) -> None:
    ours = {field.alias for field in part.model_fields.values()} - {"containerName"}

    assert ours == shapes("ecs")[shape]["members"].keys() - {"name"}


def test_launch_types_are_those_of_ecs() -> None:
    known = set(spec()["definitions"]["Job"]["properties"]["launchType"]["enum"])

    assert known == set(shapes("ecs")["LaunchType"]["enum"])


OPTIONS: dict[str, Any] = {
    "tags": [{"key": "team", "value": "blue"}],
    "propagateTags": "TASK_DEFINITION",
    "enableECSManagedTags": True,
    "enableExecuteCommand": True,
    "group": "nightly",
    "placementConstraints": [{"type": "distinctInstance"}],
    "placementStrategy": [{"type": "spread", "field": "host"}],
    "launchType": "EC2",
    "volumeConfigurations": [
        {"name": "data", "managedEBSVolume": {"roleArn": "arn:aws:iam::1:role/r", "sizeInGiB": 9}}
    ],
    "overrides": {
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "ephemeralStorage": {"sizeInGiB": 30},
        "containerOverrides": [
            {
                "name": "main",
                "command": ["ls", "-l"],
                "environment": [{"name": "A", "value": "b"}],
                "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/k.env"}],
                "resourceRequirements": [{"type": "GPU", "value": "1"}],
            }
        ],
    },
}


def test_options_of_run_task_reach_it_whole() -> None:
    job = read_job(
        Job.model_validate(job_fields(taskDefinition="t", passDueAt=False, **OPTIONS)).stored()
    )
    asked = request(a_run(job), StartCall(number=0, count=1, at="x"), "default")

    assert {name: asked[name] for name in OPTIONS} == OPTIONS


def test_listed_overrides_have_all_that_a_container_may_have() -> None:
    listed = {"containerName": "main", "command": ["ls"], "cpu": 5, "memoryReservation": 64}
    job = Job.model_validate(job_fields(overrides=[listed], passDueAt=False))
    asked = request(a_run(job), StartCall(number=0, count=1, at="x"), "default")

    assert asked["overrides"]["containerOverrides"] == [
        {
            "name": "main",
            "command": ["ls"],
            "cpu": 5,
            "memoryReservation": 64,
            "environment": [{"name": TAG, "value": "j"}],
        }
    ]


def test_a_variable_of_the_job_stays_as_it_is() -> None:
    own = {"containerName": "main", "environment": {"WATCHBOT_DUE_AT": "never"}}
    job = Job.model_validate(job_fields(overrides=[own]))
    (entry,) = request(a_run(job), StartCall(number=0, count=1, at="x"), "default")["overrides"][
        "containerOverrides"
    ]

    variables = {each["name"]: each["value"] for each in entry["environment"]}
    assert variables["WATCHBOT_DUE_AT"] == "never"
    assert variables["WATCHBOT_JOB"] == "j"


def a_run(job: Job) -> LeasedRun:
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return LeasedRun(job=job, due_at=moment, cause="schedule", generation=1, created_at=moment)


def test_fargate_with_a_network() -> None:
    job = Job.model_validate(job_fields(launchType="FARGATE", networkConfiguration=NETWORK))

    assert json.loads(job.stored())["networkConfiguration"] == NETWORK
