"""Starting runs on an ECS that keeps RunTask's promises, and on one that breaks down."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_ecs import no_answer, nothing
from tests.support.house import SqlRows, a_job
from tests.support.starting import TOPIC, World, a_world
from tests.support.task_events import an_event, states
from watchbot.errors import Denied, Rejected, Throttled
from watchbot.moment import to_text
from watchbot.record import tables as record
from watchbot.record.writer import write
from watchbot.schedule.job.task import TAG
from watchbot.schedule.start.starter import Attempt, Later
from watchbot.schedule.store.run import Call, RunEnd
from watchbot.sql.migrate import migrate


@pytest.fixture
def file(tmp_path: Path) -> str:
    """For what is the same in every database."""
    return f"sqlite:///{tmp_path}/test.db"


def counts(world: World) -> list[int]:
    return [call["count"] for call in world.ecs.calls]


async def test_containers_know_which_time_they_run_for(place: str) -> None:
    own = {"containerName": "side", "environment": {"A": "b"}}
    async with a_world(place, a_job(taskCount=12, overrides=[own])) as world:
        await world.fire()

    first, second = (call["overrides"]["containerOverrides"] for call in world.ecs.calls)
    told = {each["name"]: variables(each) for each in first}
    time = {
        "WATCHBOT_JOB": "j",
        "WATCHBOT_DUE_AT": "2026-11-21T12:01:00.000Z",
        "WATCHBOT_RUN_CAUSE": "schedule",
    }
    assert first == second
    assert told == {"side": {"A": "b", TAG: "j", **time}, "main": time}


async def test_containers_are_told_nothing_if_the_job_says_so(place: str) -> None:
    async with a_world(place, a_job(passDueAt=False)) as world:
        await world.fire()

    assert "overrides" not in world.ecs.calls[0]


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


async def test_tasks_are_started_ten_at_a_time_each_call_under_its_token(place: str) -> None:
    async with a_world(place, a_job(taskCount=23)) as world:
        (ending,) = await world.fire()
        job = await world.jobs.find("j")

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert counts(world) == [10, 10, 3]
    assert len({call["clientToken"] for call in world.ecs.calls}) == 3
    assert len({call["startedBy"] for call in world.ecs.calls}) == 1
    assert job
    assert job.last_run_at == world.clock.moment
    assert len(job.last_run_tasks) == 23


async def test_reply_that_was_lost_starts_nothing_twice(file: str) -> None:
    async with a_world(file, a_job(taskCount=23)) as world:
        world.ecs.after = _breaking(2)
        (later,) = await world.fire()
        assert isinstance(later, Later)
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert len(ending.tasks) == len(world.ecs.tasks) == 23
    assert counts(world) == [10, 10, 10, 3]
    assert world.ecs.calls[1] == world.ecs.calls[2]


async def test_replica_that_died_in_a_call_starts_nothing_twice(file: str) -> None:
    async with a_world(file, a_job(taskCount=15)) as world:
        world.clock.on(minutes=1)
        await world.plan()
        (run,) = await world.take(world.one)
        world.ecs.after = _breaking(1)
        await Attempt(run, world.clock.moment, world.means()).make()
        world.clock.on(seconds=30)  # nothing was noted of it; its lease has ended
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert len(ending.tasks) == len(world.ecs.tasks) == 15


async def test_call_of_a_replica_that_died_is_doubtful(place: str) -> None:
    slow = Throttled(service="ECS", operation="run_task", code="Throttling", text="slow")
    async with a_world(place, a_job(retry={"attempts": 1})) as world:
        world.clock.on(minutes=1)
        await world.plan()
        (run,) = await world.take(world.one)
        noted = replace(run, wanted=1, call=Call(number=0, count=1, at=to_text(run.due_at)))
        await world.one.note(noted)
        world.clock.on(seconds=30)  # no more was heard of it
        world.ecs.before = _breaking(9, slow)
        await world.attempt()
        row = await world.row()

    assert row["status"] == "uncertain"


async def test_what_ecs_could_not_place_is_asked_for_again_and_no_more(file: str) -> None:
    async with a_world(file, a_job(taskCount=12)) as world:
        world.ecs.room = 7
        (first,) = await world.fire()
        world.ecs.room = 100
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()
        row = await world.row()

    assert isinstance(first, Later)
    assert "RESOURCE:MEMORY" in first.reason
    assert isinstance(ending, RunEnd)
    assert counts(world) == [10, 5]
    assert len(world.ecs.tasks) == len(ending.tasks) == 12
    assert (row["status"], row["attempts"], row["failures"]) == ("started", 1, "[]")


async def test_attempts_come_to_an_end_and_the_run_is_partial(file: str) -> None:
    async with a_world(file, a_job(taskCount=3, retry={"attempts": 2})) as world:
        world.ecs.room = 2
        await world.fire()
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()
        row = await world.row()

    assert isinstance(ending, RunEnd)
    assert (row["status"], len(ending.tasks)) == ("partial", 2)
    assert "2 of 3 tasks were started" in row["reason"]


async def test_throttled_call_is_made_again_under_the_same_token(file: str) -> None:
    slow = Throttled(service="ECS", operation="run_task", code="Throttling", text="slow")
    async with a_world(file, a_job()) as world:
        world.ecs.before = _breaking(1, slow)
        await world.fire()
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(world.ecs.tasks) == 1


async def test_what_aws_refuses_for_good_fails_at_once_and_says_why(place: str) -> None:
    async with a_world(place, a_job()) as world:
        world.ecs.before = _breaking(1, _for_good())
        await world.fire()
        row = await world.row()

    assert row["status"] == "failed"
    assert "TaskDefinition is inactive" in row["reason"]


async def test_denied_run_is_tried_again_and_told_once(place: str) -> None:
    denied = Denied(service="ECS", operation="run_task", code="AccessDenied", text="no PassRole")
    async with a_world(place, a_job()) as world:
        world.ecs.before = _breaking(2, denied)
        results = await world.fire()
        for _ in range(2):
            world.clock.on(seconds=60)
            results += await world.attempt()

    assert [isinstance(result, Later) and result.told for result in results] == [True, False, False]
    assert isinstance(results[2], RunEnd)
    assert results[2].status == "started"


async def test_run_whose_job_cannot_be_read_fails_and_says_why(file: str) -> None:
    async with a_world(file, a_job()) as world:
        world.clock.on(minutes=1)
        await world.plan()
        await world.rows.write_job_of_runs('{"id": "j", "schedule": "0", "timezone": "Old/Zone"}')
        await world.attempt()
        row = await world.row()

    assert row["status"] == "failed"
    assert "timezone" in row["reason"]
    assert world.ecs.calls == []


async def test_limit_that_is_reached_may_pass(file: str) -> None:
    text = "You've reached the limit on the number of tasks you can run concurrently"
    full = Rejected(service="ECS", operation="run_task", code="ClientException", text=text)
    async with a_world(file, a_job()) as world:
        world.ecs.before = _breaking(1, full)
        (result,) = await world.fire()

    assert isinstance(result, Later)


async def test_run_that_may_have_started_is_not_said_to_have_failed(file: str) -> None:
    async with a_world(file, a_job(retry={"attempts": 1})) as world:
        world.ecs.after = _breaking(1)
        await world.fire()
        row = await world.row()

    assert row["status"] == "uncertain"
    assert "startedBy wb/j/" in row["reason"]


async def test_doubt_lasts_whatever_is_answered_later(file: str) -> None:
    slow = Throttled(service="ECS", operation="run_task", code="Throttling", text="slow")
    async with a_world(file, a_job(retry={"attempts": 2})) as world:
        world.ecs.after = _breaking(1)
        await world.fire()
        world.ecs.before = _breaking(9, slow)
        world.clock.on(seconds=60)
        await world.attempt()
        row = await world.row()

    assert row["status"] == "uncertain"


async def test_call_that_ecs_no_longer_knows_is_looked_for_and_not_made_again(file: str) -> None:
    async with a_world(file, a_job()) as world:
        world.ecs.after = _breaking(1)
        await world.fire()
        world.clock.on(hours=24)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(world.ecs.calls) == len(world.ecs.tasks) == 1


async def test_call_that_ecs_knows_in_other_words_is_looked_for(file: str) -> None:
    async with a_world(file, a_job()) as world:
        world.ecs.after = _breaking(1)
        await world.fire()
        other = a_job(platformVersion="1.4.0").stored()
        await world.rows.write_job_of_runs(other)
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(ending.tasks) == len(world.ecs.tasks) == 1


async def test_top_up_counts_what_runs_of_this_job_alone(file: str) -> None:
    job = a_job(taskDefinition="t", taskCount=4, overrides=[{"containerName": "c"}])
    async with a_world(file, job) as world:
        world.ecs.add(family="t", startedBy="ecs-svc/1")  # of a service
        world.ecs.add(family="t", startedBy="wb/other/1/s")
        old = {"environment": [{"name": TAG, "value": "j"}]}
        world.ecs.add(
            family="t", startedBy="ecs-scheduler", overrides={"containerOverrides": [old]}
        )
        await world.fire()
        await world.fire()

    assert counts(world) == [3]


async def test_jobs_that_skip_wait_or_replace_look_at_what_runs(file: str) -> None:
    jobs = [a_job(how, overlap=how) for how in ("allow", "skip", "buffer_one", "replace")]
    async with a_world(file, *jobs) as world:
        await world.fire()
        first = set(world.ecs.tasks)
        await world.fire()
        running = {
            job.id: [
                arn in first
                for arn, task in world.ecs.tasks.items()
                if task["family"] == job.id and task["lastStatus"] == "RUNNING"
            ]
            for job in jobs
        }

    assert running == {
        "allow": [True, False],
        "skip": [True],
        "buffer_one": [True],
        "replace": [False],
    }


async def test_one_run_waits_for_the_one_before_and_no_more_than_one(place: str) -> None:
    async with a_world(place, a_job(overlap="buffer_one")) as world:
        await world.fire()
        for _ in range(3):
            await world.fire()
        waiting = await world.statuses()
        for arn in world.ecs.tasks:
            world.ecs.end(arn)
        world.clock.on(seconds=6)
        await world.attempt()

        assert waiting == ["started", "due", "skipped", "skipped"]
        assert await world.statuses() == ["started", "started", "skipped", "skipped"]


async def test_tasks_for_the_messages_that_wait(file: str) -> None:
    trigger = {"type": "sqs", "queueName": "q", "messagesPerTask": 10}
    async with a_world(file, a_job(trigger=trigger)) as world:
        await world.fire()
        world.sqs.waiting = 10_000
        await world.fire()

        assert await world.statuses() == ["skipped", "started"]
    assert counts(world) == [10] * 5


async def test_fargate_has_no_host(file: str) -> None:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}
    job = a_job(launchType="FARGATE", networkConfiguration=network, cluster="blue")
    async with a_world(file, job) as world:
        await world.fire()
        stored = await world.jobs.find("j")

    (call,) = world.ecs.calls
    assert call["cluster"] == "blue"
    assert call["launchType"] == "FARGATE"
    assert call["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1"]
    assert stored
    assert [task["hostId"] for task in stored.last_run_tasks] == [None]


async def test_message_says_what_it_is_of(file: str) -> None:
    target = {"type": "sqs", "queueUrl": "https://queues/1/q.fifo", "message": "do it"}
    async with a_world(file, a_job(target=target)) as world:
        await world.fire()

    (sent,) = world.sqs.sent
    assert sent["MessageBody"] == "do it"
    assert sent["MessageGroupId"] == "j"
    assert len(sent["MessageDeduplicationId"]) == 64
    assert sent["MessageAttributes"]["DueAt"]["StringValue"] == "2026-11-21T12:01:00.000Z"


async def test_job_is_paused_after_failures_in_a_row(place: str) -> None:
    async with a_world(place, a_job(pauseAfterFailures=2)) as world:
        world.ecs.before = _breaking(9, _for_good())
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


def _for_good() -> Rejected:
    """A refusal that no waiting mends."""
    text = "TaskDefinition is inactive"
    return Rejected(service="ECS", operation="run_task", code="ClientException", text=text)


def _breaking(times: int, error: Exception | None = None) -> Any:
    """Raises so often, from the call of that number on, or once at that call."""
    calls = 0

    def broken() -> None:
        nonlocal calls
        calls += 1
        if error and calls <= times:
            raise error
        if not error and calls == times:
            raise no_answer()

    return broken
