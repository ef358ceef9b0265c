"""The record in step with ECS, played by a table of tasks, in both databases."""

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tests.support.databases import a_record
from tests.support.task_events import an_event, states
from watchbot.aws import Client
from watchbot.errors import Throttled
from watchbot.record.answers import reconciled_at
from watchbot.record.reconcile import Reconciler
from watchbot.record.writer import write
from watchbot.sql.database import Database

CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/blue"


class FakeEcs:
    """ECS with one cluster, which lists two tasks a page, and throttles every third call."""

    def __init__(self, *tasks: dict[str, Any]) -> None:
        self.tasks = {task["taskArn"]: task for task in tasks}
        self.calls = 0
        self.essential: dict[str, bool] = {}

    async def call(self, operation: str, **given: Any) -> Any:
        self.calls += 1
        if self.calls % 3 == 0:
            raise Throttled(service="ECS", operation=operation, code="Throttling", text="slow")
        return getattr(self, operation)(**given)

    def list_clusters(self) -> dict[str, Any]:
        return {"clusterArns": [CLUSTER]}

    def list_tasks(self, cluster: str, desiredStatus: str, nextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - names of the API
        assert cluster in (CLUSTER, "blue")
        arns = [arn for arn, task in self.tasks.items() if task["desiredStatus"] == desiredStatus]
        start = int(nextToken)
        more = {"nextToken": str(start + 2)} if len(arns) > start + 2 else {}
        return {"taskArns": arns[start : start + 2], **more}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> dict[str, Any]:
        assert len(tasks) <= 100
        return {
            "tasks": [self.tasks[arn] for arn in tasks if arn in self.tasks],
            "failures": [
                {"arn": arn, "reason": "MISSING"} for arn in tasks if arn not in self.tasks
            ],
        }

    def describe_task_definition(self, taskDefinition: str) -> dict[str, Any]:  # noqa: N803 - names of the API
        containers = [{"name": name, "essential": flag} for name, flag in self.essential.items()]
        return {"taskDefinition": {"containerDefinitions": containers}}


def a_task(number: int, version: int = 2, status: str = "RUNNING") -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(an_event(version, status))["detail"]
    started = datetime(2026, 11, 21, 3, tzinfo=UTC)
    arn = f"arn:aws:ecs:eu-west-1:123456789012:task/blue/{number}"
    desired = "STOPPED" if status == "STOPPED" else "RUNNING"
    return {**detail, "taskArn": arn, "desiredStatus": desired, "startedAt": started}


def reconciler(database: Database, ecs: FakeEcs, *clusters: str) -> Reconciler:
    return Reconciler(database, cast(Client, ecs), clusters)


@pytest.mark.parametrize("cluster", ["all", "blue", CLUSTER])
async def test_tasks_that_no_event_told_of_are_found(url: str, cluster: str) -> None:
    ecs = FakeEcs(*(a_task(number) for number in range(5)), a_task(9, status="STOPPED"))

    async with a_record(url) as database:
        await reconciler(database, ecs, cluster).reconcile()
        rows = await database.fetch("SELECT task_id, source, started_at FROM ecs_task ORDER BY 1")

        assert await reconciled_at(database)
    assert [row["task_id"] for row in rows] == ["0", "1", "2", "3", "4", "9"]
    assert {row["source"] for row in rows} == {"reconcile"}
    assert rows[0]["started_at"] == "2026-11-21T03:00:00.000Z"


async def test_newer_event_is_not_overwritten(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(an_event(5, "STOPPED")))
        await reconciler(database, FakeEcs(a_task(1, version=4)), "blue").reconcile()

        assert await database.fetch("SELECT version, last_status FROM ecs_task") == [
            {"version": 5, "last_status": "STOPPED"}
        ]


async def test_task_that_ecs_forgot_is_gone_but_stays(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(an_event(5)))
        await reconciler(database, FakeEcs(), "blue").reconcile()
        gone = await database.fetch("SELECT outcome, gone_at FROM ecs_task_outcome")
        await write(database, states(an_event(5)))  # a late duplicate knows no better
        still = await database.fetch("SELECT outcome FROM ecs_task_outcome")
        await write(database, states(an_event(6, "STOPPED")))
        back = await database.fetch("SELECT gone_at FROM ecs_task")

    assert gone[0]["outcome"] == "lost"
    assert gone[0]["gone_at"]
    assert still == [{"outcome": "lost"}]
    assert back == [{"gone_at": None}]


@pytest.mark.parametrize("cluster", ["all", "blue", CLUSTER])
async def test_cluster_of_this_name_in_another_region_is_left_alone(url: str, cluster: str) -> None:
    """Rules of several regions may send their events to one queue."""
    elsewhere = an_event(5).replace("eu-west-1", "us-east-1")

    async with a_record(url) as database:
        await write(database, states(elsewhere))
        await reconciler(database, FakeEcs(a_task(2)), cluster).reconcile()
        found = await database.fetch("SELECT outcome FROM ecs_task_outcome ORDER BY task_arn")

    assert found == [{"outcome": "active"}, {"outcome": "active"}]


@pytest.mark.parametrize("cluster", ["all", "blue", CLUSTER])
async def test_cluster_elsewhere_is_left_alone_while_this_one_is_empty(
    url: str, cluster: str
) -> None:
    elsewhere = an_event(5).replace("eu-west-1", "us-east-1")
    ecs = FakeEcs(a_task(2))

    async with a_record(url) as database:
        await write(database, states(elsewhere))
        reconciling = reconciler(database, ecs, cluster)
        await reconciling.reconcile()
        ecs.tasks.clear()
        await reconciling.reconcile()
        found = await database.fetch("SELECT outcome FROM ecs_task_outcome ORDER BY task_arn")

    assert found == [{"outcome": "lost"}, {"outcome": "active"}]


async def test_task_that_ecs_still_knows_is_not_gone(url: str) -> None:
    async with a_record(url) as database:
        await write(database, states(an_event(2)))
        await reconciler(database, FakeEcs(), "blue").reconcile()
        await reconciler(database, FakeEcs(a_task(1)), "blue").reconcile()

        assert await database.fetch("SELECT outcome FROM ecs_task_outcome") == [
            {"outcome": "active"}
        ]


async def test_outcome_waits_for_the_definition_and_asks_once(url: str) -> None:
    containers = [
        {"name": "main", "exitCode": 0, "lastStatus": "STOPPED"},
        {"name": "proxy", "exitCode": 137, "lastStatus": "STOPPED"},
    ]
    ecs = FakeEcs()
    ecs.essential = {"main": True, "proxy": False}

    async with a_record(url) as database:
        await write(database, states(an_event(1, "STOPPED", containers=containers)))
        asking = reconciler(database, ecs)
        await asking.learn()
        await asking.learn()

        assert await database.fetch("SELECT outcome FROM ecs_task_outcome") == [
            {"outcome": "success"}
        ]
    assert ecs.calls == 1
