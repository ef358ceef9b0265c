"""Each fire once: the plan and the ledger, in SQLite and PostgreSQL, on a clock that stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from tests.databases import a_schedule
from watchbot.schedule.job import Job
from watchbot.schedule.jobs import Jobs, Reader, Taken
from watchbot.schedule.ledger import LEASE, Ledger, Lost
from watchbot.schedule.planner import Planned, plan, seconds_to_next
from watchbot.schedule.run import Ending, Run
from watchbot.sql.database import Database, Row, to_text

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    """The database's clock, in our hands."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    async def __call__(self, reader: Reader) -> datetime:
        return self.moment

    def on(self, **time: float) -> None:
        self.moment += timedelta(**time)


class House:
    """A database with its clock, its jobs, and two replicas."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, Clock()
        self.jobs = Jobs(database, self.clock)
        self.one = Ledger(database, self.clock, owner="one")
        self.two = Ledger(database, self.clock, owner="two")

    async def plan(self) -> Planned:
        return await plan(self.database, self.clock)

    async def ledger(self) -> list[Row]:
        return await self.database.fetch(
            "SELECT job_id, due_at, status, reason FROM schedule_run ORDER BY job_id, due_at"
        )

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.ledger()]

    async def take(self, replica: Ledger, most: int = 10) -> list[Run]:
        runs, _ = await replica.take(most)
        return runs


@asynccontextmanager
async def a_house(url: str, *jobs: Job) -> AsyncIterator[House]:
    async with a_schedule(url) as database:
        house = House(database)
        for job in jobs:
            await house.jobs.add(job)
        yield house


def a_job(job_id: str = "j", schedule: str = "* * * * *", **fields: Any) -> Job:
    return Job.model_validate({"id": job_id, "schedule": schedule, "dialect": "cron", **fields})


async def test_job_is_due_at_its_times(url: str) -> None:
    async with a_house(url, a_job()) as house:
        assert await house.plan() == Planned()
        assert await seconds_to_next(house.database, house.clock, 100) == 60
        house.clock.on(minutes=1)

        assert await house.plan() == Planned(due=1)
        assert await house.plan() == Planned()
        job = await house.jobs.find("j")
        rows = await house.ledger()

    assert job
    assert job.next_fire_at == NOON + timedelta(minutes=2)
    assert [row["due_at"] for row in rows] == [to_text(NOON + timedelta(minutes=1))]


async def test_replicas_that_plan_at_once_enter_each_fire_once(url: str) -> None:
    async with a_house(url, *(a_job(f"j{number}") for number in range(50))) as house:
        house.clock.on(minutes=1)
        async with anyio.create_task_group() as replicas:
            for _ in range(4):
                replicas.start_soon(house.plan)

        await house.plan()  # what the others held locked just then
        assert len(await house.ledger()) == 50


async def test_replicas_take_each_run_once(url: str) -> None:
    taken: list[str] = []

    async with a_house(url, *(a_job(f"j{number}") for number in range(20))) as house:
        house.clock.on(minutes=1)
        await house.plan()

        async def take(replica: Ledger) -> None:
            while runs := await house.take(replica, most=3):
                taken.extend(run.job.id for run in runs)

        async with anyio.create_task_group() as replicas:
            replicas.start_soon(take, house.one)
            replicas.start_soon(take, house.two)
        # PostgreSQL passes over what is locked: once more, when nobody holds a lock.
        await take(house.one)

    assert sorted(taken) == sorted(f"j{number}" for number in range(20))


async def test_run_of_a_replica_that_died_goes_to_another(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        assert await house.take(house.two) == []
        house.clock.on(seconds=LEASE.total_seconds())
        (again,) = await house.take(house.two)

        with pytest.raises(Lost):
            await house.one.finish(run, Ending(status="started"))
        await house.two.finish(again, Ending(status="started"))
        assert await house.statuses() == ["started"]
        assert run.token(0) == again.token(0)


async def test_lease_that_is_renewed_holds(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        house.clock.on(seconds=4)
        await house.one.renew()
        house.clock.on(seconds=4)

        assert await house.take(house.two) == []
        await house.one.finish(run, Ending(status="started"))


async def test_run_that_is_let_go_of_is_taken_at_once(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        await house.take(house.one)
        await house.one.release()

        assert len(await house.take(house.two)) == 1


@pytest.mark.parametrize(
    ("misfire", "statuses"),
    [
        ({"policy": "last"}, ["missed"] * 9 + ["due"]),
        ({"policy": "skip"}, ["missed"] * 10),
        ({"policy": "all"}, ["due"] * 10),
        ({"policy": "all", "max": 3}, ["missed"] * 7 + ["due"] * 3),
        ({"policy": "all", "grace": 200}, ["missed"] * 7 + ["due"] * 3),
    ],
    ids=["last", "skip", "all", "three at most", "within the grace"],
)
async def test_outage(url: str, misfire: dict[str, Any], statuses: list[str]) -> None:
    async with a_house(url, a_job(misfire=misfire)) as house:
        house.clock.on(minutes=10, seconds=30)

        await house.plan()

        assert await house.statuses() == statuses
        assert await house.plan() == Planned()


async def test_long_outage_is_planned_step_by_step(url: str) -> None:
    job = a_job(schedule="* * * * * *", misfire={"grace": 30})
    async with a_house(url, job) as house:
        house.clock.on(seconds=5000)
        passes = [await house.plan()]
        while passes[-1].more:
            passes.append(await house.plan())

        rows = await house.ledger()
    assert len(rows) == 5000
    assert len({row["due_at"] for row in rows}) == 5000
    assert len(passes) > 2
    assert [row["status"] for row in rows[-10:]] == ["due"] * 10


async def test_clock_that_jumps_back_fires_nothing_twice(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=3)
        await house.plan()
        house.clock.on(minutes=-2)
        assert await house.plan() == Planned()
        house.clock.on(minutes=2)
        assert await house.plan() == Planned()

        assert len(await house.ledger()) == 3


async def test_job_that_is_deleted_and_made_again_does_not_fire_twice(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        await house.jobs.remove("j")
        house.clock.on(seconds=-1)
        await house.jobs.add(a_job())
        house.clock.on(seconds=1)
        await house.plan()

        assert await house.statuses() == ["skipped"]


@pytest.mark.parametrize("how", ["deleted", "suspended"])
async def test_run_that_nobody_has_begun_is_called_off(url: str, how: str) -> None:
    async with a_house(url, a_job(jitter=50)) as house:
        house.clock.on(minutes=1)
        await house.plan()
        stored = await house.jobs.find("j")
        assert stored
        if how == "deleted":
            await house.jobs.remove("j")
        else:
            await house.jobs.change(stored, a_job(jitter=50, suspended=True))
        house.clock.on(minutes=1)

        assert await house.take(house.one) == []
        (row,) = await house.ledger()
    assert (row["status"], row["reason"]) == ("skipped", f"the job was {how}")


async def test_suspended_job_fires_nothing_and_catches_up_with_nothing(url: str) -> None:
    async with a_house(url, a_job(suspended=True)) as house:
        house.clock.on(minutes=10)
        await house.plan()
        stored = await house.jobs.find("j")
        assert stored
        await house.jobs.change(stored, a_job())
        house.clock.on(minutes=1)
        await house.plan()

        assert await house.statuses() == ["due"]


async def test_change_that_leaves_the_times_alone_loses_no_fire(url: str) -> None:
    async with a_house(url, a_job()) as house:
        house.clock.on(minutes=1)
        stored = await house.jobs.find("j")
        assert stored
        assert await house.jobs.change(stored, a_job(taskCount=3))
        assert not await house.jobs.change(stored, a_job(taskCount=4))  # it was overtaken
        await house.plan()

        (run,) = await house.take(house.one)
    assert run.job.task_count == 3


async def test_jitter_is_within_its_window_and_the_same_for_all(url: str) -> None:
    async with a_house(url, *(a_job(f"j{number}", jitter=50) for number in range(20))) as house:
        house.clock.on(minutes=1)
        await house.plan()
        at_once = len(await house.take(house.one, most=100))
        house.clock.on(seconds=50)
        later = len(await house.take(house.two, most=100))

    assert at_once < 10
    assert at_once + later >= 20


async def test_name_is_taken_once(url: str) -> None:
    async with a_house(url, a_job()) as house:
        with pytest.raises(Taken):
            await house.jobs.add(a_job())


async def test_job_that_cannot_be_read_stops_no_other(url: str) -> None:
    async with a_house(url, a_job("bad"), a_job("good")) as house:
        async with house.database.transaction() as transaction:
            await transaction.execute(
                "UPDATE schedule_job SET fields = :fields WHERE id = 'bad'",
                fields='{"id": "bad", "schedule": "0", "timezone": "Old/Zone"}',
            )
        house.clock.on(minutes=1)
        await house.plan()
        rows = await house.ledger()
        (bad,) = await house.database.fetch("SELECT note FROM schedule_job WHERE id = 'bad'")

    assert [row["job_id"] for row in rows] == ["good"]
    assert "timezone" in bad["note"]


async def test_runs_that_are_over_are_forgotten_and_no_others(url: str) -> None:
    async with a_house(url, a_job(misfire={"policy": "all"})) as house:
        house.clock.on(minutes=2)
        await house.plan()
        (run,) = await house.take(house.one, most=1)
        await house.one.finish(run, Ending(status="started"))
        house.clock.on(days=31)

        assert await house.one.forget(30) == 1
        assert await house.statuses() == ["due"]
