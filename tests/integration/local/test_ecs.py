"""The ECS of the embedded AWS: tasks that run, are stopped, and end by themselves."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import Cloud, running_cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def ecs(cloud: Cloud) -> Any:
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName="blue")
    ecs.register_task_definition(
        family="report", containerDefinitions=[{"name": "main", "image": "busybox", "memory": 64}]
    )
    return ecs


def started(ecs: Any) -> str:
    """The ARN of a task."""
    (task,) = ecs.run_task(cluster="blue", taskDefinition="report", launchType="FARGATE")["tasks"]
    arn: str = task["taskArn"]
    return arn


def listed(ecs: Any, status: str) -> list[str]:
    arns: list[str] = ecs.list_tasks(cluster="blue", desiredStatus=status)["taskArns"]
    return arns


def seen(ecs: Any, arn: str) -> tuple[str, str, str | None]:
    (task,) = ecs.describe_tasks(cluster="blue", tasks=[arn])["tasks"]
    return task["lastStatus"], task["desiredStatus"], task.get("stopCode")


def test_task_runs_until_it_is_stopped(ecs: Any) -> None:
    arn = started(ecs)

    before, running = seen(ecs, arn), listed(ecs, "RUNNING")
    ecs.stop_task(cluster="blue", task=arn, reason="enough")

    assert (before, running) == (("RUNNING", "RUNNING", None), [arn])
    assert seen(ecs, arn) == ("STOPPED", "STOPPED", "UserInitiated")
    assert (listed(ecs, "RUNNING"), listed(ecs, "STOPPED")) == ([], [arn])


def test_task_ends_by_itself(ecs: Any) -> None:
    arn = started(ecs)

    while listed(ecs, "RUNNING"):
        pass

    assert seen(ecs, arn) == ("STOPPED", "STOPPED", "EssentialContainerExited")
