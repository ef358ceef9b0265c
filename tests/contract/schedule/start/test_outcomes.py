"""What became of the tasks of a run, and who is told."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.fake_ecs import nothing
from tests.support.house import SqlRows, a_job
from tests.support.starting import TOPIC, World, a_world, breaking, for_good
from tests.support.task_events import an_event, states
from watchbot.errors import Denied
from watchbot.record import tables as record
from watchbot.record.writer import write
from watchbot.schedule.store.run import RunEnd
from watchbot.sql.migrate import migrate


async def test_job_is_paused_after_failures_in_a_row(place: str) -> None:
    async with a_world(place, a_job(pauseAfterFailures=2)) as world:
        world.ecs.before = breaking(9, for_good())
        for _ in range(4):
            await world.fire()
        job = await world.jobs.find("j")

        assert await world.statuses() == ["failed", "failed"]
    assert job
    assert job.job.suspended
    assert job.note
    assert job.note.startswith("paused after 2 failures")


async def test_outcomes_are_those_of_the_tasks(place: str) -> None:
    async with a_world(place, a_job("good"), a_job("bad", pauseAfterFailures=1)) as world:
        await world.fire()
        looking = world.outcomes()
        await looking.look()
        active = await _outcomes(world)
        for arn, task in world.ecs.tasks.items():
            world.ecs.end(arn, exit_code=int(task["family"] == "bad"))
        world.clock.on(minutes=1)
        await looking.look()
        bad = await world.jobs.find("bad")

        assert active == {"good": "active", "bad": "active"}
        assert await _outcomes(world) == {"good": "success", "bad": "failed"}
    assert bad
    assert bad.job.suspended


async def test_task_whose_definition_is_deleted_holds_up_no_outcome(file: str) -> None:
    async with a_world(file, a_job("a"), a_job("gone")) as world:
        await world.fire()
        for arn in world.ecs.tasks:
            world.ecs.end(arn, exit_code=3)
        world.ecs.deleted = {"gone"}
        await world.outcomes().look()

        assert await _outcomes(world) == {"a": "failed", "gone": "failed"}


async def test_outcome_is_the_record_s_where_there_is_one(url: str) -> None:
    containers = [{"name": "main", "exitCode": 3, "lastStatus": "STOPPED"}]
    async with a_world(url, a_job()) as world:
        assert isinstance(world.rows, SqlRows)
        database = world.rows.database
        await migrate(database, record.COMPONENT, record.PACKAGE)
        await world.fire()
        (arn,) = world.ecs.tasks
        world.ecs.tasks.clear()  # ECS has forgotten it
        ended = an_event(5, "STOPPED", taskArn=arn, containers=containers)
        await write(database, states(ended))
        await world.outcomes().look()

        assert await _outcomes(world) == {"j": "failed"}
    (task,) = _told(world)["tasks"]
    assert task["containers"] == [{"name": "main", "exitCode": 3, "reason": None}]


async def test_tasks_that_fail_are_told_once_whoever_looks(place: str) -> None:
    async with a_world(place, a_job("good"), a_job("bad", taskCount=2)) as world:
        await world.fire()
        for arn, task in world.ecs.tasks.items():
            world.ecs.end(arn, exit_code=3 * (task["family"] == "bad"))
        world.ecs.meanwhile = _one_more_look(world)
        await world.outcomes().look()
        await world.outcomes().look()
        bad = await world.jobs.find("bad")

    told = _told(world)
    assert world.sns.published[0]["TopicArn"] == TOPIC
    assert world.sns.published[0]["Subject"] == "watchbot schedule: bad failed"
    assert (told["job"], told["dueAt"]) == ("bad", "2026-11-21T12:01:00.000Z")
    assert (told["cause"], told["status"], told["outcome"]) == ("schedule", "started", "failed")
    first, second = told["tasks"]
    assert first["taskId"] != second["taskId"]
    assert first["reason"] == "Essential container in task exited"
    assert first["containers"] == [{"name": "main", "exitCode": 3, "reason": None}]
    assert bad
    assert bad.failures == 1


async def test_topic_that_refuses_holds_up_no_outcome(file: str) -> None:
    async with a_world(file, a_job("a"), a_job("b")) as world:
        await world.fire()
        world.sns.error = Denied(service="SNS", operation="publish", code="AccessDenied", text="no")
        for arn in world.ecs.tasks:
            world.ecs.end(arn, exit_code=1)
        await world.outcomes().look()

        assert await _outcomes(world) == {"a": "failed", "b": "failed"}
    assert len(world.sns.published) == 2


async def test_run_that_was_told_of_as_partial_is_not_told_of_again(file: str) -> None:
    async with a_world(file, a_job(taskCount=2, retry={"attempts": 1})) as world:
        world.ecs.room = 1
        (ending,) = await world.fire()
        for arn in world.ecs.tasks:
            world.ecs.end(arn, exit_code=1)
        await world.outcomes().look()

        assert await _outcomes(world) == {"j": "failed"}
    assert isinstance(ending, RunEnd)
    assert ending.status == "partial"
    assert world.sns.published == []


def _told(world: World) -> dict[str, Any]:
    (published,) = world.sns.published
    told: dict[str, Any] = json.loads(published["Message"])
    return told


def _one_more_look(world: World) -> Callable[[], Awaitable[None]]:
    """Another replica looks at what one is looking at: that one was slow, its turn is over."""

    async def look() -> None:
        world.ecs.meanwhile = nothing
        world.clock.on(minutes=1)
        await world.outcomes().look()

    return look


async def _outcomes(world: World) -> dict[str, str]:
    return {run["job_id"]: run["outcome"] for run in await world.rows.runs()}
