"""Each fire once: the plan and the ledger, in every kind of store, on a clock that stands."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException

from tests.support.house import NOON, a_house, a_job
from watchbot.moment import to_text
from watchbot.schedule.http.rest import found
from watchbot.schedule.http.v1 import V1
from watchbot.schedule.job.job import Job
from watchbot.schedule.runs import backfill, run_now
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import LEASE, Lost, RunEnd
from watchbot.schedule.store.store import Ledger
from watchbot.schedule.store.stored import Taken


async def test_job_is_due_at_its_times(place: str) -> None:
    async with a_house(place, a_job()) as house:
        assert await house.plan() == Planned()
        assert 60 <= await house.store.seconds_to_plan(100) < 61
        house.clock.on(minutes=1)

        assert await house.plan() == Planned(due=1)
        assert await house.plan() == Planned()
        job = await house.jobs.find("j")
        rows = await house.rows.runs()

    assert job
    assert job.next_fire_at == NOON + timedelta(minutes=2)
    assert [row["due_at"] for row in rows] == [to_text(NOON + timedelta(minutes=1))]


async def test_replicas_that_plan_at_once_enter_each_fire_once(place: str) -> None:
    async with a_house(place, *(a_job(f"j{number}") for number in range(50))) as house:
        house.clock.on(minutes=1)
        planned: list[int] = []

        async def plan() -> None:
            planned.append((await house.plan()).due)

        async with anyio.create_task_group() as replicas:
            for _ in range(4):
                replicas.start_soon(plan)
        await plan()  # what the others held locked just then

        assert len(await house.rows.runs()) == 50
    assert sum(planned) == 50


async def test_replicas_take_each_run_once(place: str) -> None:
    taken: list[str] = []

    async with a_house(place, *(a_job(f"j{number}") for number in range(20))) as house:
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


async def test_run_of_a_replica_that_died_goes_to_another(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        assert await house.take(house.two) == []
        house.clock.on(seconds=LEASE.total_seconds())
        (again,) = await house.take(house.two)

        with pytest.raises(Lost):
            await house.one.finish(run, RunEnd(status="started"))
        await house.two.finish(again, RunEnd(status="started"))
        assert await house.statuses() == ["started"]
        assert run.token(0) == again.token(0)


async def test_lease_that_is_renewed_holds(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        house.clock.on(seconds=4)
        await house.one.renew([run])
        house.clock.on(seconds=4)

        assert await house.take(house.two) == []
        await house.one.finish(run, RunEnd(status="started"))


async def test_run_that_is_no_longer_worked_at_goes_to_another(place: str) -> None:
    async with a_house(place, a_job("a"), a_job("b")) as house:
        house.clock.on(minutes=1)
        await house.plan()
        left, kept = await house.take(house.one)
        for _ in range(2):
            house.clock.on(seconds=4)
            await house.one.renew([kept])

        assert [run.key for run in await house.take(house.two)] == [left.key]


async def test_lease_that_is_lost_is_not_renewed(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        house.clock.on(seconds=LEASE.total_seconds())
        (again,) = await house.take(house.two)
        house.clock.on(seconds=4)
        await house.one.renew([run])
        house.clock.on(seconds=1)

        assert [run.key for run in await house.take(house.one)] == [again.key]


async def test_run_that_is_let_go_of_is_taken_at_once(place: str) -> None:
    async with a_house(place, a_job("a"), a_job("b")) as house:
        house.clock.on(minutes=1)
        await house.plan()
        over, left = await house.take(house.one)
        await house.one.finish(over, RunEnd(status="started"))
        await house.one.release([over, left])

        assert [run.key for run in await house.take(house.two)] == [left.key]


async def test_job_that_is_deleted_and_made_again_does_not_fire_twice(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        await house.jobs.remove("j")
        house.clock.on(seconds=-1)
        await house.jobs.add(a_job())
        house.clock.on(seconds=1)
        await house.plan()

        assert await house.statuses() == ["skipped"]


@pytest.mark.parametrize("how", ["deleted", "suspended"])
async def test_run_that_nobody_has_begun_is_called_off(place: str, how: str) -> None:
    async with a_house(place, a_job(jitter=50)) as house:
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
        (row,) = await house.rows.runs()
    assert (row["status"], row["reason"]) == ("skipped", f"the job was {how}")


async def test_owner_whose_lease_has_ended_cannot_begin_what_was_called_off(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        (run,) = await house.take(house.one)
        house.clock.on(seconds=LEASE.total_seconds())
        await house.jobs.remove("j")

        await house.one.renew([run])
        with pytest.raises(Lost):
            await house.one.note(run)
        house.clock.on(seconds=LEASE.total_seconds())
        assert await house.take(house.two) == []
        assert await house.statuses() == ["skipped"]


async def test_suspended_job_fires_nothing_and_catches_up_with_nothing(place: str) -> None:
    async with a_house(place, a_job(suspended=True)) as house:
        house.clock.on(minutes=10)
        await house.plan()
        stored = await house.jobs.find("j")
        assert stored
        await house.jobs.change(stored, a_job())
        house.clock.on(minutes=1)
        await house.plan()

        assert await house.statuses() == ["due"]


async def test_change_that_leaves_the_times_alone_loses_no_fire(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        stored = await house.jobs.find("j")
        assert stored
        assert await house.jobs.change(stored, a_job(taskCount=3))
        assert not await house.jobs.change(stored, a_job(taskCount=4))  # it was overtaken
        await house.plan()

        (run,) = await house.take(house.one)
    assert run.job.task_count == 3


@pytest.mark.parametrize(
    "times",
    [
        {"schedule": "at(2026-11-21T12:01:00)", "dialect": "eventbridge"},
        {"schedule": "1 12 * * *", "scheduleEnd": "2026-11-21T13:00:00Z"},
    ],
    ids=["one time", "ended"],
)
async def test_job_whose_times_are_past_may_be_paused_and_resumed(
    place: str, times: dict[str, Any]
) -> None:
    async with a_house(place, a_job(**times)) as house:
        house.clock.on(minutes=1)
        await house.plan()
        house.clock.on(hours=2)
        for suspended in (True, False):
            stored = await house.jobs.find("j")
            assert stored
            changed = Job.model_validate({**stored.fields, "suspended": suspended})
            assert await house.jobs.change(stored, changed)
            shown = await house.jobs.find("j")
            assert shown
            assert shown.job.suspended is suspended
            assert shown.next_fire_at is None


async def test_jitter_spreads_runs_within_its_window(place: str) -> None:
    async with a_house(place, *(a_job(f"j{number}", jitter=50) for number in range(20))) as house:
        house.clock.on(minutes=1)
        await house.plan()
        taken = []
        for seconds in (0, 25, 25):
            house.clock.on(seconds=seconds)
            runs = await house.take(house.one, most=100)
            for run in runs:
                await house.one.finish(run, RunEnd(status="started"))
            taken.append(len(runs))

    assert taken[0] < 5
    assert min(taken[1:]) > 0
    assert sum(taken) == 20


async def test_name_is_taken_once(place: str) -> None:
    async with a_house(place, a_job()) as house:
        with pytest.raises(Taken):
            await house.jobs.add(a_job())


async def test_runs_that_are_asked_for_at_the_same_time_are_all_run(place: str) -> None:
    async with a_house(place, a_job(schedule="0 0 * * *")) as house:
        stored = await house.jobs.find("j")
        assert stored
        told = [await run_now(house.store, stored) for _ in range(3)]
        runs = await house.take(house.one)

    assert [run.due_at for run in runs] == told
    assert len(set(told)) == 3


async def test_start_that_is_told_late_does_not_hide_a_later_one(place: str) -> None:
    async with a_house(place, a_job()) as house:
        for _ in range(2):
            house.clock.on(minutes=1)
            await house.plan()
        early, late = await house.take(house.one)
        await house.one.finish(late, RunEnd(status="started", tasks=[{"taskId": "late"}]))
        house.clock.on(minutes=-1)
        await house.one.finish(early, RunEnd(status="started", tasks=[{"taskId": "early"}]))
        job = await house.jobs.find("j")

    assert job
    assert job.last_run_at == NOON + timedelta(minutes=2)
    assert job.last_run_tasks == [{"taskId": "late"}]


async def test_last_run_is_the_newest_that_is_not_just_due(place: str) -> None:
    async with a_house(place, a_job(), a_job("new", "0 0 * * *")) as house:
        house.clock.on(minutes=2)
        await house.plan()  # of two fires the earlier is missed
        stored = await house.jobs.find("j")
        assert stored
        (missed, _) = await house.rows.runs()
        await backfill(house.store, stored, [NOON + timedelta(minutes=1)])
        last = await house.store.runs.last(["j", "new"])

    assert missed["status"] == "missed"
    assert list(last) == ["j"]
    assert (last["j"]["status"], last["j"]["cause"]) == ("missed", "schedule")


@pytest.mark.parametrize("name", ["x" * 2000, "x\0y", "\ud800"], ids=["long", "NUL", "no Unicode"])
async def test_what_no_job_can_be_called_is_not_found(place: str, name: str) -> None:
    async with a_house(place) as house:
        with pytest.raises(HTTPException, match="404"):
            await found(house.jobs, name)
        with pytest.raises(HTTPException, match="404"):
            await V1(house.store, print).runs(name)


async def test_runs_that_are_over_are_forgotten_and_no_others(url: str) -> None:
    async with a_house(url, a_job(misfire={"policy": "all"})) as house:
        house.clock.on(minutes=2)
        await house.plan()
        (run,) = await house.take(house.one, most=1)
        await house.one.finish(run, RunEnd(status="started"))
        house.clock.on(days=31)

        assert await house.store.runs.forget() == 1
        assert await house.statuses() == ["due"]
