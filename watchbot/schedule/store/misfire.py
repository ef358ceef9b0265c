"""Decides which due fires run and which were missed: pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from watchbot.schedule.job.job import Job, Misfire

ON_TIME = timedelta(seconds=10)  # the misfire policy applies only to fires later than this
LISTED = timedelta(days=1)  # older fires, beyond the grace, share one entry
_INSTANT = timedelta(microseconds=1)  # includes a fire at the first moment itself
AT_ONCE = 2000  # fires of one step: twice the largest `max` of the policy `all`

Verdict = Literal["due", "missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A time when a job was due. `reason` says why the fire was missed."""

    due_at: datetime
    verdict: Verdict = "due"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The fires of one step, and the first later fire, or None."""

    fires: list[Fire]
    next_fire_at: datetime | None


def step(job: Job, created: datetime, first: datetime, now: datetime) -> Step:
    """The step for the fires from `first` to `now`.

    After a long outage the step's next fire may also be in the past; another step continues there.
    """
    past: list[datetime] = []
    for due_at in job.fires(first - _INSTANT, created):
        if due_at > now:
            return Step(fires=list(_judged(job.misfire, past, now)), next_fire_at=due_at)
        if len(past) == AT_ONCE:
            return _pass_over(job, created, past, now)
        past.append(due_at)
    return Step(fires=list(_judged(job.misfire, past, now)), next_fire_at=None)


def _pass_over(job: Job, created: datetime, past: list[datetime], now: datetime) -> Step:
    """The step for more than AT_ONCE fires: records the oldest as missed and runs none of them."""
    horizon = now - LISTED - timedelta(seconds=job.misfire.grace)
    if past[0] >= horizon:
        passed = [_missed(due_at) for due_at in past[: AT_ONCE // 2]]
        return Step(fires=passed, next_fire_at=past[AT_ONCE // 2])
    until = horizon.isoformat(timespec="seconds")
    folded = Fire(
        due_at=past[0],
        verdict="missed",
        reason=f"no scheduler ran; all further fires until {until} were missed, too",
    )
    return Step(fires=[folded], next_fire_at=next(job.fires(horizon, created), None))


def _judged(misfire: Misfire, past: list[datetime], now: datetime) -> Iterator[Fire]:
    grace = now - timedelta(seconds=misfire.grace)
    on_time = [due_at for due_at in past if due_at > now - ON_TIME]
    late = past[: len(past) - len(on_time)]
    caught_up = set(_caught_up(misfire, [due_at for due_at in late if due_at >= grace], on_time))
    for due_at in late:
        yield Fire(due_at=due_at) if due_at in caught_up else _missed(due_at)
    yield from (Fire(due_at=due_at) for due_at in on_time)


def _caught_up(misfire: Misfire, late: list[datetime], on_time: list[datetime]) -> list[datetime]:
    if misfire.policy == "all":
        return late[-misfire.max :]
    return late[-1:] if misfire.policy == "last" and not on_time else []


def _missed(due_at: datetime) -> Fire:
    return Fire(due_at=due_at, verdict="missed", reason="no scheduler ran")
