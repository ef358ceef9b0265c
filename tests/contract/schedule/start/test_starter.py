"""Starting runs on an ECS that keeps RunTask's promises, and on one that breaks down."""

from dataclasses import replace
from typing import Any

from tests.support.house import a_job
from tests.support.starting import a_world, breaking, counts, for_good
from watchbot.errors import Denied, Rejected, Throttled
from watchbot.moment import to_text
from watchbot.schedule.job.task import TAG
from watchbot.schedule.start.starter import Attempt, Later
from watchbot.schedule.store.run import RunEnd, StartCall


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
        world.ecs.after = breaking(2)
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
        world.ecs.after = breaking(1)
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
        noted = replace(run, wanted=1, call=StartCall(number=0, count=1, at=to_text(run.due_at)))
        await world.one.note(noted)
        world.clock.on(seconds=30)  # no more was heard of it
        world.ecs.before = breaking(9, slow)
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
        world.ecs.before = breaking(1, slow)
        await world.fire()
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(world.ecs.tasks) == 1


async def test_what_aws_refuses_for_good_fails_at_once_and_says_why(place: str) -> None:
    async with a_world(place, a_job()) as world:
        world.ecs.before = breaking(1, for_good())
        await world.fire()
        row = await world.row()

    assert row["status"] == "failed"
    assert "TaskDefinition is inactive" in row["reason"]


async def test_denied_run_is_tried_again_and_told_once(place: str) -> None:
    denied = Denied(service="ECS", operation="run_task", code="AccessDenied", text="no PassRole")
    async with a_world(place, a_job()) as world:
        world.ecs.before = breaking(2, denied)
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
        world.ecs.before = breaking(1, full)
        (result,) = await world.fire()

    assert isinstance(result, Later)


async def test_run_that_may_have_started_is_not_said_to_have_failed(file: str) -> None:
    async with a_world(file, a_job(retry={"attempts": 1})) as world:
        world.ecs.after = breaking(1)
        await world.fire()
        row = await world.row()

    assert row["status"] == "uncertain"
    assert "startedBy wb/j/" in row["reason"]


async def test_doubt_lasts_whatever_is_answered_later(file: str) -> None:
    slow = Throttled(service="ECS", operation="run_task", code="Throttling", text="slow")
    async with a_world(file, a_job(retry={"attempts": 2})) as world:
        world.ecs.after = breaking(1)
        await world.fire()
        world.ecs.before = breaking(9, slow)
        world.clock.on(seconds=60)
        await world.attempt()
        row = await world.row()

    assert row["status"] == "uncertain"


async def test_call_that_ecs_no_longer_knows_is_looked_for_and_not_made_again(file: str) -> None:
    async with a_world(file, a_job()) as world:
        world.ecs.after = breaking(1)
        await world.fire()
        world.clock.on(hours=24)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(world.ecs.calls) == len(world.ecs.tasks) == 1


async def test_call_that_ecs_knows_in_other_words_is_looked_for(file: str) -> None:
    async with a_world(file, a_job()) as world:
        world.ecs.after = breaking(1)
        await world.fire()
        other = a_job(platformVersion="1.4.0").stored()
        await world.rows.write_job_of_runs(other)
        world.clock.on(seconds=60)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert len(ending.tasks) == len(world.ecs.tasks) == 1


async def test_task_that_ends_while_it_is_looked_for_counts_once(file: str) -> None:
    async with a_world(file, a_job(taskCount=2)) as world:
        world.ecs.after = breaking(1)
        await world.fire()
        one, late = world.ecs.tasks
        del world.ecs.tasks[late]  # ECS does not list it yet

        async def ends() -> None:
            world.ecs.end(one)

        world.ecs.meanwhile = ends
        world.clock.on(hours=24)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "uncertain"
    assert [task["taskId"] for task in ending.tasks] == [one]


async def test_tasks_that_are_known_stay_so_when_ecs_has_forgotten_them(file: str) -> None:
    async with a_world(file, a_job(taskCount=12)) as world:
        world.ecs.after = breaking(2)  # the answer to the second call is lost
        await world.fire()
        started = list(world.ecs.tasks)
        for forgotten in started[:10]:
            del world.ecs.tasks[forgotten]
        world.clock.on(hours=24)
        (ending,) = await world.attempt()

    assert isinstance(ending, RunEnd)
    assert ending.status == "started"
    assert [task["taskId"] for task in ending.tasks] == started


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
