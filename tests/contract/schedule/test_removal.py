"""Jobs that are removed once they have nothing more to do."""

from typing import Any, cast

import anyio

from tests.support.house import a_house, a_job
from tests.support.starting import World
from watchbot.lifecycle import Stop
from watchbot.schedule.job.job import Job
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.settings.schedule import ScheduleSettings

HANG_S = 20
ONCE = {"schedule": "at(2026-11-21T12:00:30)", "dialect": "eventbridge", "removeWhenDone": True}
TARGET = {"type": "sqs", "queueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "message": "m"}


def once(job_id: str, **fields: Any) -> Job:
    return Job.model_validate({"id": job_id, "target": TARGET, **ONCE, **fields})


async def left(place: str, *jobs: Job, removed: str) -> list[str]:
    """The names of the jobs that are left when all have run, and `removed` is gone."""
    async with a_house(place, *jobs) as house:
        world, stop = World(house), Stop()
        clients = cast(Clients, world)
        house.clock.on(minutes=1)
        async with anyio.create_task_group() as replica:
            replica.start_soon(Scheduler(ScheduleSettings(), house.store, clients).run, stop)
            with anyio.fail_after(HANG_S):
                while await house.jobs.find(removed) or "due" in await house.statuses():
                    await anyio.sleep(0.05)  # a store announces nothing
            stop.ask()
        assert len(world.sqs.sent) == len(jobs)
        found, _ = await house.jobs.page(0, 100)
        return [each.job.id for each in found]


async def test_job_that_runs_once_is_removed_after_its_run(place: str) -> None:
    kept = once("kept", removeWhenDone=False)
    recurring = a_job("recurring", target=TARGET, removeWhenDone=True)

    assert await left(place, once("gone"), kept, recurring, removed="gone") == ["kept", "recurring"]


async def test_no_run_is_called_off_by_the_removal(place: str) -> None:
    both = {"schedule": "* * * * *", "dialect": "cron", "scheduleEnd": "2026-11-21T12:02:00Z"}
    job = once("twice", **both, misfire={"policy": "all"})
    async with a_house(place, job) as house:
        world, stop = World(house), Stop()
        house.clock.on(minutes=5)
        async with anyio.create_task_group() as replica:
            scheduler = Scheduler(ScheduleSettings(), house.store, cast(Clients, world))
            replica.start_soon(scheduler.run, stop)
            with anyio.fail_after(HANG_S):
                while await house.jobs.find("twice"):
                    await anyio.sleep(0.05)  # a store announces nothing
            stop.ask()

        assert await house.statuses() == ["started", "started"]
