"""Clocks that jump, and outages: no time is lost, and none fires twice."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.house import NOON, a_house, a_job
from watchbot.schedule.store.planner import Planned


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
async def test_outage(place: str, misfire: dict[str, Any], statuses: list[str]) -> None:
    async with a_house(place, a_job(misfire=misfire)) as house:
        house.clock.on(minutes=10, seconds=30)

        await house.plan()

        assert await house.statuses() == statuses
        assert await house.plan() == Planned()


async def test_long_outage_is_planned_step_by_step(place: str) -> None:
    # The embedded AWS copies the whole table for each transaction: it gets fewer.
    fires = 600 if place.startswith("http") else 5000
    job = a_job(schedule="* * * * * *", misfire={"grace": 30})
    async with a_house(place, job) as house:
        house.clock.on(seconds=fires)
        passes = [await house.plan()]
        while passes[-1].more:
            passes.append(await house.plan())

        rows = await house.rows.runs()
    assert len(rows) == fires
    assert len({row["due_at"] for row in rows}) == fires
    assert len(passes) > 2
    assert [row["status"] for row in rows[-10:]] == ["due"] * 10


async def test_start_between_two_milliseconds_counts_no_fire_twice(place: str) -> None:
    every: dict[str, Any] = {"dialect": "eventbridge", "misfire": {"policy": "all"}}
    job = a_job(schedule="rate(1 minute)", scheduleStart="2026-11-21T12:00:00.000900Z", **every)
    async with a_house(place, job) as house:
        planned = 0
        for _ in range(3):
            house.clock.on(minutes=1, milliseconds=5)
            planned += (await house.plan()).due

        assert len(await house.rows.runs()) == planned == 4


async def test_clock_that_jumps_back_fires_nothing_twice(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=3)
        await house.plan()
        house.clock.on(minutes=-2)
        assert await house.plan() == Planned()
        house.clock.on(minutes=2)
        assert await house.plan() == Planned()

        assert len(await house.rows.runs()) == 3


async def test_clock_that_is_set_back_an_hour_silences_no_job(place: str) -> None:
    async with a_house(place, a_job(), a_job("rare", "30 * * * *")) as house:
        assert await house.store.look_at_clock() is None
        house.clock.on(minutes=1)
        await house.plan()
        assert await house.store.look_at_clock() is None
        house.clock.on(hours=-1)

        back = await house.store.look_at_clock()
        again = await house.store.look_at_clock()
        house.clock.on(minutes=1)
        planned = await house.plan()
        rare = await house.jobs.find("rare")

    assert (back, again) == (timedelta(hours=1), None)
    assert planned == Planned(due=1)
    assert rare
    assert rare.next_fire_at == NOON - timedelta(minutes=30)


async def test_clock_that_was_set_back_is_noticed_by_one_who_comes_later(place: str) -> None:
    async with a_house(place, a_job()) as house:
        await house.store.look_at_clock()
    async with a_house(place) as house:
        house.clock.on(hours=-1)

        assert await house.store.look_at_clock() == timedelta(hours=1)
        house.clock.on(minutes=1)
        assert await house.plan() == Planned(due=1)


async def test_job_that_was_made_by_a_clock_that_was_ahead_fires(place: str) -> None:
    every: dict[str, Any] = {"schedule": "rate(5 minutes)", "dialect": "eventbridge"}
    async with a_house(place, a_job(**every)) as house:
        await house.store.look_at_clock()
        house.clock.on(hours=-1)
        await house.store.look_at_clock()
        house.clock.on(minutes=5)

        assert await house.plan() == Planned(due=1)
        house.clock.on(minutes=5)
        assert await house.plan() == Planned(due=1)


async def test_run_that_was_put_off_by_a_clock_that_was_ahead_is_taken(place: str) -> None:
    async with a_house(place, a_job()) as house:
        house.clock.on(minutes=1)
        await house.plan()
        await house.store.look_at_clock()
        (run,) = await house.take(house.one)
        await house.one.put_off(run, 5, "no room", failed=True)
        house.clock.on(hours=-1)
        await house.store.look_at_clock()
        house.clock.on(minutes=1)

        assert [again.key for again in await house.take(house.two)] == [run.key]


async def test_time_that_was_missed_and_comes_again_is_due(place: str) -> None:
    async with a_house(place, a_job(misfire={"policy": "skip"})) as house:
        await house.store.look_at_clock()
        house.clock.on(hours=1)  # wrongly
        await house.store.look_at_clock()
        await house.plan()
        house.clock.on(hours=-1)
        await house.store.look_at_clock()
        house.clock.on(minutes=1)
        await house.plan()

        assert (await house.statuses())[0] == "due"
