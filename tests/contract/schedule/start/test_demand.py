"""How many tasks a run starts, by what runs and what waits."""

from tests.support.house import a_job
from tests.support.starting import a_world, counts
from watchbot.schedule.job.task import TAG


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
