"""Computes figures for the SVG of the next seven days: a line for each job, a mark for a fire."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchbot.moment import to_text
from watchbot.schedule.store.stored import StoredJob

WIDTH, LEFT, TOP, LANE = 1200, 190, 26, 20
MARK = 3.0
DAYS = 7
MOST = 400  # marks on a line; a job with more fires gets one bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A fire, or a bar for many fires."""

    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A job and its fires."""

    job_id: str
    y: float
    paused: bool
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Figures that the template draws."""

    height: float
    lines: Sequence[Line]
    days: Sequence[tuple[float, str]]


def week(jobs: Sequence[StoredJob], now: datetime) -> Week:
    """The figures for the jobs' fires from `now` on."""
    lines = [
        Line(
            job_id=stored.job.id,
            y=TOP + LANE * index,
            paused=stored.job.suspended,
            marks=_marks(stored, now),
        )
        for index, stored in enumerate(jobs)
    ]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + timedelta(days=day) for day in range(1, DAYS + 1)]
    return Week(
        height=TOP + LANE * len(lines),
        lines=lines,
        days=[(_x_of(day, now), f"{day:%a %d %b}") for day in days],
    )


def _marks(stored: StoredJob, now: datetime) -> list[Mark]:
    end = now + timedelta(days=DAYS)
    fires = itertools.takewhile(lambda fire: fire < end, stored.job.fires(now, stored.created_at))
    found = list(itertools.islice(fires, MOST + 1))
    if len(found) > MOST:
        x = _x_of(found[0], now)
        return [Mark(x=x, width=WIDTH - x, label=f"more than {MOST} times")]
    return [Mark(x=_x_of(fire, now), width=MARK, label=to_text(fire)) for fire in found]


def _x_of(moment: datetime, now: datetime) -> float:
    share = (moment - now) / timedelta(days=DAYS)
    return round(LEFT + (WIDTH - LEFT - MARK) * share, 1)
