"""Tests which fires run after an outage, and which are missed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchbot.schedule.job.job import Job
from watchbot.schedule.store.misfire import AT_ONCE, Step, step

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CREATED = NOON - timedelta(days=365)


def a_job(schedule: str, **fields: Any) -> Job:
    return Job.model_validate({"id": "j", "schedule": schedule, "dialect": "cron", **fields})


def after_outage(job: Job, seconds: float) -> Step:
    """The step at noon, after an outage."""
    first = next(job.fires(NOON - timedelta(seconds=seconds), CREATED))
    return step(job, CREATED, first, NOON)


def run_at(found: Step) -> list[str]:
    return [f"{fire.due_at:%H:%M:%S}" for fire in found.fires if fire.verdict == "due"]


def missed(found: Step) -> int:
    return sum(fire.verdict == "missed" for fire in found.fires)


@pytest.mark.parametrize(
    ("misfire", "ran", "lost"),
    [
        ({"policy": "last"}, ["11:50:00"], 5),
        ({"policy": "skip"}, [], 6),
        ({"policy": "all"}, [f"11:{minute}:00" for minute in ("00", *range(10, 60, 10))], 0),
        ({"policy": "all", "max": 2}, ["11:40:00", "11:50:00"], 4),
        ({"policy": "all", "grace": 1500}, ["11:40:00", "11:50:00"], 4),
        ({"policy": "last", "grace": 60}, [], 6),
    ],
    ids=["last", "skip", "all", "all, two at most", "all within its grace", "last, too late"],
)
def test_policy_after_an_outage_of_an_hour(
    misfire: dict[str, Any], ran: list[str], lost: int
) -> None:
    job = a_job("*/10 * * * *", misfire=misfire)
    first = NOON - timedelta(hours=1)

    found = step(job, CREATED, first, NOON - timedelta(seconds=1))

    assert run_at(found) == ran
    assert missed(found) == lost
    assert found.next_fire_at == NOON


def test_fire_on_time_is_run_whatever_the_policy() -> None:
    job = a_job("*/10 * * * *", misfire={"policy": "skip"})

    found = after_outage(job, 3600)

    assert run_at(found) == ["12:00:00"]
    assert missed(found) == 5


def test_what_is_on_time_makes_the_last_one_superfluous() -> None:
    found = after_outage(a_job("*/10 * * * *"), 3600)

    assert run_at(found) == ["12:00:00"]


def test_slow_pass_loses_no_fire_of_every_second() -> None:
    found = after_outage(a_job("* * * * * *"), 3)

    assert run_at(found) == ["11:59:58", "11:59:59", "12:00:00"]
    assert missed(found) == 0


def test_missed_fires_are_entered_each() -> None:
    found = after_outage(a_job("0 * * * *"), 3 * 86_400)

    assert missed(found) == 71
    assert len({fire.due_at for fire in found.fires}) == 72


def test_very_many_are_entered_in_steps_and_none_twice() -> None:
    job = a_job("* * * * * *", misfire={"policy": "last", "grace": 60})
    first, fires, steps = NOON - timedelta(hours=2), [], 0
    while first <= NOON:
        found = step(job, CREATED, first, NOON)
        assert found.next_fire_at
        assert len(found.fires) <= AT_ONCE + 1
        first, steps = found.next_fire_at, steps + 1
        fires += found.fires

    assert [fire.due_at for fire in fires] == [
        NOON + timedelta(seconds=second) for second in range(-7200, 1)
    ]
    assert sum(fire.verdict == "due" for fire in fires) == 10  # those on time
    assert steps > 1


def test_fires_of_long_ago_are_one_entry() -> None:
    job = a_job("* * * * * *")
    first = NOON - timedelta(days=365)

    found = step(job, CREATED, first, NOON)

    assert [fire.due_at for fire in found.fires] == [first]
    assert found.fires[0].verdict == "missed"
    assert found.next_fire_at == NOON - timedelta(days=1, seconds=3599)


def test_job_that_has_ended_has_no_next_fire() -> None:
    job = a_job("*/10 * * * *", scheduleEnd="2026-11-21T11:30:00Z")

    found = after_outage(job, 3600)

    assert found.next_fire_at is None
    assert run_at(found) == ["11:30:00"]


def test_one_time_is_caught_up_with() -> None:
    job = Job.model_validate({"id": "j", "schedule": "at(2026-11-21T11:30:00)"})

    found = after_outage(job, 3600)

    assert run_at(found) == ["11:30:00"]
    assert found.next_fire_at is None
