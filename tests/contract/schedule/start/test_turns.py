"""Runs of one job take turns: overlap, calling off, edits and backfills, in every kind of store."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.house import NOON, a_job
from tests.support.starting import World, a_world
from watchbot.errors import Rejected
from watchbot.schedule.job.job import Job
from watchbot.schedule.runs import backfill, run_now
from watchbot.schedule.start.starter import Attempt, Means
from watchbot.schedule.store.run import Cancel, LeasedRun, Lost
from watchbot.schedule.store.stored import StoredJob

RARELY = "0 0 1 1 *"


async def stored(world: World, job_id: str = "j") -> StoredJob:
    found = await world.jobs.find(job_id)
    assert found
    return found


async def edit(world: World, **fields: Any) -> None:
    old = await stored(world)
    assert await world.jobs.change(old, Job.model_validate({**old.fields, **fields}))


async def click(world: World) -> None:
    await run_now(world.store, await stored(world))


async def rounds(world: World, count: int, seconds: float = 6) -> None:
    """Attempts at what is due, again and again."""
    for _ in range(count):
        await world.attempt()
        world.clock.on(seconds=seconds)


def running(world: World) -> int:
    return sum(task["lastStatus"] != "STOPPED" for task in world.ecs.tasks.values())


def end_all(world: World) -> None:
    for arn in world.ecs.tasks:
        world.ecs.end(arn)


@pytest.mark.parametrize("overlap", ["skip", "top_up", "buffer_one", "replace"])
async def test_runs_of_one_moment_start_one_task_between_them(place: str, overlap: str) -> None:
    async with a_world(place, a_job(schedule=RARELY, overlap=overlap)) as world:
        for _ in range(4):
            await click(world)
        most = 0
        for _ in range(6):
            await world.attempt()
            most = max(most, running(world))
            world.clock.on(seconds=6)
        statuses = sorted(await world.statuses())

    assert most == 1
    expected = {
        "skip": ["skipped"] * 3 + ["started"],
        "top_up": ["skipped"] * 3 + ["started"],
        "buffer_one": ["due"] + ["skipped"] * 2 + ["started"],
        "replace": ["started"] * 4,
    }
    assert statuses == expected[overlap]


async def test_fire_and_click_start_one_task_between_them(place: str) -> None:
    async with a_world(place, a_job(overlap="skip")) as world:
        world.clock.on(minutes=1)
        await world.plan()
        await click(world)
        await rounds(world, 3)

        assert sorted(await world.statuses()) == ["skipped", "started"]
    assert len(world.ecs.tasks) == 1


async def test_what_was_missed_is_caught_up_with_in_turn(place: str) -> None:
    job = a_job(overlap="skip", misfire={"policy": "all"})
    async with a_world(place, job) as world:
        world.clock.on(minutes=3)
        await world.plan()
        await rounds(world, 4)
        rows = await world.rows.runs()

    assert [row["status"] for row in rows] == ["started", "skipped", "skipped"]
    assert len(world.ecs.tasks) == 1


@pytest.mark.parametrize("overlap", ["skip", "replace", "top_up"])
async def test_tasks_of_another_family_are_not_forgotten(place: str, overlap: str) -> None:
    async with a_world(place, a_job(taskDefinition="old", overlap=overlap)) as world:
        await world.fire()
        await edit(world, taskDefinition="new")
        await world.fire()

    families = [task["family"] for task in world.ecs.tasks.values()]
    assert families == (["old", "new"] if overlap == "replace" else ["old"])
    assert running(world) == 1


async def test_tasks_that_are_not_listed_yet_are_not_forgotten(place: str) -> None:
    async with a_world(place, a_job(overlap="skip")) as world:
        world.ecs.listed = False
        await world.fire()
        await world.fire()

        assert await world.statuses() == ["started", "skipped"]


async def test_run_is_decided_again_on_each_try(place: str) -> None:
    async with a_world(place, a_job(schedule=RARELY, overlap="skip")) as world:
        world.ecs.room = 0
        await click(world)
        await world.attempt()
        world.ecs.room = 9
        world.ecs.add(family="j", startedBy="wb/j/1/m")  # somebody has started one meanwhile
        world.clock.on(minutes=2)
        await world.attempt()

        assert await world.statuses() == ["skipped"]


async def test_run_that_waits_is_not_overtaken_by_a_later_fire(place: str) -> None:
    async with a_world(place, a_job(overlap="buffer_one")) as world:
        await world.fire()
        await world.fire()  # waits
        end_all(world)
        world.clock.on(seconds=2)
        await click(world)  # sooner up than the one that waits
        await world.attempt()
        overtaken = await world.statuses()
        world.clock.on(seconds=3)
        await rounds(world, 3, seconds=1)
        rows = await world.rows.runs()

    assert overtaken == ["started", "due", "due"]
    assert [row["status"] for row in rows][:2] == ["started", "started"]
    assert running(world) == 1


async def test_replacing_run_ends_one_that_is_still_being_started(place: str) -> None:
    async with a_world(place, a_job(schedule=RARELY, overlap="replace", taskCount=2)) as world:
        world.ecs.room = 1
        await click(world)
        await world.attempt()
        world.ecs.room = 9
        await click(world)
        await world.attempt()
        await rounds(world, 2)
        first, second = await world.rows.runs()

    assert (first["status"], second["status"]) == ("partial", "started")
    assert "replaced by a later run" in first["reason"]
    assert running(world) == 2


async def test_decision_of_one_whose_claim_was_lost_is_not_noted(place: str) -> None:
    async with a_world(place, a_job(overlap="skip", misfire={"policy": "all"})) as world:
        world.clock.on(minutes=2)
        await world.plan()
        slow, quick = await world.take(world.one)
        others = await world.one.claim(slow)
        assert await world.two.claim(quick) is None
        world.clock.on(seconds=6)  # its lease has ended, and so has its claim
        assert others is not None
        (again, *_) = await world.take(world.two)
        assert await world.two.claim(again) is not None

        with pytest.raises(Lost):
            await world.one.note(slow, others)


@pytest.mark.parametrize("how", ["deleted", "suspended"])
async def test_run_that_is_tried_again_is_called_off_at_once(place: str, how: str) -> None:
    async with a_world(place, a_job(schedule="0 0 * * *")) as world:
        world.ecs.room = 0
        await click(world)
        await world.attempt()
        if how == "deleted":
            await world.jobs.remove("j")
        else:
            await edit(world, suspended=True)
        world.ecs.room = 9
        world.clock.on(minutes=2)
        await world.attempt()
        row = await world.row()

    assert (row["status"], row["reason"]) == ("skipped", f"the job was {how}")
    assert world.ecs.tasks == {}


async def test_run_that_is_worked_at_starts_no_more_once_it_is_called_off(place: str) -> None:
    async with a_world(place, a_job(taskCount=25)) as world:
        world.clock.on(minutes=1)
        await world.plan()
        (run,) = await world.take(world.one)

        async def deleted() -> None:
            await world.jobs.remove("j")

        world.ecs.between = deleted
        attempt = Attempt(run, world.clock.moment, world.means())
        ending = await attempt.make()
        await world.note(attempt.run, ending)
        row = await world.row()

    assert len(world.ecs.tasks) == 10
    assert row["status"] == "partial"
    assert "the job was deleted" in row["reason"]


async def test_run_of_a_job_that_is_gone_starts_nothing(place: str) -> None:
    async with a_world(place, a_job(schedule=RARELY)) as world:
        job = await stored(world)
        await world.jobs.remove("j")
        await run_now(world.store, job)  # it was read before that
        await world.attempt()
        row = await world.row()

    assert (row["status"], row["reason"]) == ("skipped", "the job was deleted")


async def test_paused_job_is_run_when_it_is_asked_for(place: str) -> None:
    async with a_world(place, a_job(suspended=True)) as world:
        await click(world)
        await world.attempt()

        assert await world.statuses() == ["started"]


async def test_edit_reaches_runs_that_have_started_nothing(place: str) -> None:
    async with a_world(place, a_job(taskDefinition="old", overlap="allow")) as world:
        world.ecs.room = 0
        await world.fire()
        await edit(world, taskDefinition="new", taskCount=2)
        world.ecs.room = 9
        world.clock.on(seconds=60)
        await world.attempt()

    assert [task["family"] for task in world.ecs.tasks.values()] == ["new", "new"]
    assert len({call["clientToken"] for call in world.ecs.calls}) == len(world.ecs.calls)


async def test_edit_does_not_reach_a_run_that_may_have_started(place: str) -> None:
    async with a_world(place, a_job(taskDefinition="old", taskCount=2)) as world:
        world.ecs.room = 1
        await world.fire()
        await edit(world, taskDefinition="new")
        world.ecs.room = 9
        world.clock.on(seconds=60)
        await world.attempt()

    assert [task["family"] for task in world.ecs.tasks.values()] == ["old", "old"]


async def test_one_run_is_cancelled_and_no_other(place: str) -> None:
    async with a_world(place, a_job()) as world:
        world.ecs.room = 0
        for _ in range(2):
            await world.fire()
        first = NOON + timedelta(minutes=1)
        nobody = Cancel(reason="cancelled", due_at=first + timedelta(seconds=1))

        assert await world.store.runs.call_off("j", nobody) is None
        assert await world.store.runs.call_off("j", Cancel(reason="no", due_at=first)) == 1
        assert await world.store.runs.call_off("j", Cancel(reason="no", due_at=first)) == 0
        assert (await world.statuses())[0] == "skipped"


async def days(world: World, count: int, concurrency: int = 1) -> int:
    fires = [NOON - timedelta(days=count - number) for number in range(count)]
    return len(await backfill(world.store, await stored(world), fires, concurrency))


@pytest.mark.parametrize("overlap", ["allow", "skip", "top_up", "replace", "buffer_one"])
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_backfill_runs_so_many_at_once_in_order_whatever_overlap_says(
    place: str, overlap: str, concurrency: int
) -> None:
    async with a_world(place, a_job(schedule="0 12 * * *", overlap=overlap)) as world:
        assert await days(world, 5, concurrency) == 5
        most = 0
        for _ in range(40):
            await world.attempt()
            now = running(world)
            most = max(most, now)
            if now == concurrency:
                end_all(world)
            world.clock.on(seconds=10)
        rows = await world.rows.runs()
    end = [row["started_at"] for row in rows]

    assert most == concurrency
    assert [row["status"] for row in rows] == ["started"] * 5
    assert end == sorted(end)


async def test_backfill_and_fires_do_not_look_at_each_other(place: str) -> None:
    async with a_world(place, a_job(overlap="skip")) as world:
        await days(world, 1)
        await world.attempt()
        await world.fire()

        assert await world.statuses() == ["started", "started"]


async def test_backfill_is_counted_cancelled_and_asked_for_again(place: str) -> None:
    async with a_world(place, a_job(schedule="0 12 * * *")) as world:
        await days(world, 4)
        await rounds(world, 2)
        before = await world.store.runs.backfilled("j")
        cancelled = await world.store.runs.call_off("j", Cancel(reason="no", cause="backfill"))
        after = await world.store.runs.backfilled("j")
        again = await days(world, 4)
        last = await world.store.runs.backfilled("j")

    assert before == {"active": 1, "due": 3}
    assert cancelled == 3
    assert after == {"active": 1, "skipped": 3}
    assert again == 3
    assert last == before


async def test_run_that_is_asked_for_again_is_another_call(place: str) -> None:
    async with a_world(place, a_job(schedule="0 12 * * *", retry={"attempts": 1})) as world:
        await days(world, 1)
        world.ecs.room = 0
        await world.attempt()
        world.ecs.room = 9
        world.clock.on(seconds=1)
        assert await days(world, 1) == 1
        await world.attempt()

        assert await world.statuses() == ["started"]
    assert len(world.ecs.tasks) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Error: Rate exceeded (Service: AmazonEC2; ErrorCode: Throttling)",
        "No Container Instances were found in your cluster.",
        "Capacity is unavailable at this time. Please try again later",
    ],
)
async def test_refusal_that_passes_costs_no_run(place: str, text: str) -> None:
    refused = Rejected(
        service="ECS", operation="run_task", code="InvalidParameterException", text=text
    )

    def refuse() -> None:
        raise refused

    async with a_world(place, a_job()) as world:
        world.ecs.before = refuse
        await world.fire()
        world.ecs.before = lambda: None
        world.clock.on(seconds=60)
        await world.attempt()

        assert await world.statuses() == ["started"]


def means_of(world: World) -> Means:
    """The means with which the other replica starts runs."""
    return Means(clients=world.means().clients, ledger=world.two)


async def test_replicas_that_decide_at_once_start_one_task_between_them(place: str) -> None:
    async with a_world(place, a_job(schedule=RARELY, overlap="skip")) as world:
        for _ in range(2):
            await click(world)
        first = await world.take(world.one, most=1)
        second = await world.take(world.two, most=1)

        async def other() -> None:
            world.ecs.meanwhile = nothing_more
            for run in second:
                await Attempt(run, world.clock.moment, means_of(world)).make()

        world.ecs.meanwhile = other
        runs: list[LeasedRun] = [*first]
        for run in runs:
            await Attempt(run, world.clock.moment, world.means()).make()

    assert len(world.ecs.tasks) <= 1


async def nothing_more() -> None:
    """Nothing goes on."""
