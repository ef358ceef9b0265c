"""The latest runs of all jobs, from stores of all kinds, and how their tasks ended."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.house import NOON, House, a_house, a_job
from tests.support.starting import a_world
from watchbot.schedule.store.run import RunEnd, RunFilter

WEEK = NOON - timedelta(days=7)


async def fill(house: House) -> None:
    """Runs of three jobs: at 12:01 of each, at 12:02 none is worked at."""
    house.clock.on(minutes=1)
    await house.plan()
    endings = {
        "good": RunEnd(status="started", tasks=[{"taskId": "t"}]),
        "bad": RunEnd(status="failed", reason="no room"),
        "skips": RunEnd(status="skipped", reason="another run"),
    }
    for run in await house.take(house.one):
        await house.one.finish(run, endings[run.job.id])
    house.clock.on(minutes=1)
    await house.plan()


async def told(house: House, limit: int = 10, **wanted: Any) -> list[tuple[str, str, str]]:
    found = await house.store.runs.recent(RunFilter(**{"since": WEEK, **wanted}), limit)
    return [(run["job"], run["dueAt"][11:16], run["status"]) for run in found]


async def test_latest_runs_of_all_jobs_come_first(place: str) -> None:
    async with a_house(place, a_job("good"), a_job("bad"), a_job("skips")) as house:
        await fill(house)

        assert await told(house) == [
            ("bad", "12:02", "due"),
            ("good", "12:02", "due"),
            ("skips", "12:02", "due"),
            ("bad", "12:01", "failed"),
            ("good", "12:01", "started"),
            ("skips", "12:01", "skipped"),
        ]
        assert await told(house, limit=1) == [("bad", "12:02", "due")]


@pytest.mark.parametrize(
    ("wanted", "jobs"),
    [
        ({"failed": True}, ["bad"]),
        ({"job": "good"}, ["good", "good"]),
        ({"job": "nobody"}, []),
        ({"status": "skipped"}, ["skips"]),
        ({"outcome": "active"}, ["good"]),
        ({"outcome": "success"}, []),
        ({"since": NOON + timedelta(minutes=2)}, ["bad", "good", "skips"]),
        ({"since": NOON + timedelta(minutes=2), "failed": True}, []),
    ],
)
async def test_runs_are_filtered(place: str, wanted: dict[str, Any], jobs: list[str]) -> None:
    async with a_house(place, a_job("good"), a_job("bad"), a_job("skips")) as house:
        await fill(house)

        assert [job for job, _, _ in await told(house, **wanted)] == jobs


async def test_missed_runs_count_as_failed(place: str) -> None:
    async with a_house(place, a_job(misfire={"policy": "skip", "grace": 1})) as house:
        house.clock.on(minutes=3)
        await house.plan()

        assert ("j", "12:01", "missed") in await told(house, failed=True)


async def test_run_tells_how_its_tasks_ended(place: str) -> None:
    async with a_world(place, a_job(taskCount=2)) as world:
        await world.fire()
        first, second = world.ecs.tasks
        world.ecs.end(first, exit_code=3)
        await world.outcomes().look()
        (active,) = await world.store.runs.recent(RunFilter(since=WEEK), 10)
        world.ecs.end(second)
        world.clock.on(minutes=1)
        await world.outcomes().look()
        (over,) = await world.store.runs.recent(RunFilter(since=WEEK, failed=True), 10)

    assert active["outcome"] == "active"
    assert [task.get("exitCode") for task in active["tasks"]] == [3, None]
    assert "outcome" not in active["tasks"][1]
    assert over["outcome"] == "failed"
    assert [(task["outcome"], task["exitCode"], task["durationS"]) for task in over["tasks"]] == [
        ("failed", 3, 42),
        ("success", 0, 42),
    ]
