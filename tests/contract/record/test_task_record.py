"""The record of tasks answers other services, in SQLite and in PostgreSQL."""

import json
from typing import Any

from tests.support.builders import Clock
from tests.support.databases import a_record
from watchbot.record.event import TaskState, read
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.record.writer import write
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate
from watchbot.task_outcome import TaskEnd
from watchbot.task_record import LOOK_AGAIN_S, SqlTaskRecord


def arn(name: str) -> str:
    return f"arn:aws:ecs:eu-west-1:123456789012:task/blue/{name}"


async def recorded(database: Database, name: str, version: int, **detail: Any) -> None:
    """Has the record hold this state of a task."""
    event = {
        "detail-type": "ECS Task State Change",
        "id": f"{name}-{version}",
        "time": "2026-11-21T03:00:00Z",
        "detail": {
            "taskArn": arn(name),
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/blue",
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:3",
            "version": version,
            **detail,
        },
    }
    state = read(json.dumps(event), "m")
    assert isinstance(state, TaskState)
    await write(database, [state])


def ended(name: str, exit_code: int) -> dict[str, Any]:
    return {"name": name, "lastStatus": "STOPPED", "exitCode": exit_code}


async def test_tells_how_tasks_ended_and_by_which_containers(url: str) -> None:
    async with a_record(url) as database:
        both = [ended("main", 3), ended("sidecar", 3)]
        stopped = {"lastStatus": "STOPPED", "stoppedReason": "it exited", "containers": both}
        await recorded(database, "failed", 2, **stopped)
        running = [{"name": "main", "lastStatus": "RUNNING"}]
        await recorded(database, "running", 1, lastStatus="RUNNING", containers=running)

        ends = await SqlTaskRecord(database).ends([arn("failed"), arn("running"), arn("unknown")])

    assert set(ends) == {arn("failed"), arn("running")}
    assert ends[arn("running")].outcome == "active"
    assert ends[arn("failed")] == TaskEnd(
        outcome="failed",
        reason="it exited",
        containers=[
            {"name": "main", "exitCode": 3, "reason": None},
            {"name": "sidecar", "exitCode": 3, "reason": None},
        ],
    )


async def test_container_that_the_last_state_has_not_is_left_out(url: str) -> None:
    async with a_record(url) as database:
        first = [{"name": each, "lastStatus": "RUNNING"} for each in ("main", "gone")]
        await recorded(database, "t", 1, lastStatus="RUNNING", containers=first)
        await recorded(database, "t", 2, lastStatus="STOPPED", containers=[ended("main", 0)])

        end = (await SqlTaskRecord(database).ends([arn("t")]))[arn("t")]

    assert [container["name"] for container in end.containers] == ["main"]


async def test_database_without_the_tables_has_a_record_of_nothing(url: str) -> None:
    async with open_database(url) as database:
        record = SqlTaskRecord(database)

        assert await record.ends([arn("t")]) == {}
        assert await record.ends([arn("t")]) == {}


async def test_recorder_that_starts_later_is_found(url: str) -> None:
    clock = Clock()
    async with open_database(url) as database:
        record = SqlTaskRecord(database, clock)
        assert await record.ends([arn("t")]) == {}
        await migrate(database, COMPONENT, PACKAGE)
        await recorded(database, "t", 2, lastStatus="STOPPED", containers=[ended("main", 0)])

        assert await record.ends([arn("t")]) == {}
        clock.advance(LOOK_AGAIN_S)
        assert set(await record.ends([arn("t")])) == {arn("t")}
