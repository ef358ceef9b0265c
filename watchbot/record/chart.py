"""Computes charts for SVG: the position and size of each bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from watchbot.moment import to_time
from watchbot.sql.dialect import Row

WIDTH, LEFT, TOP = 1200, 150, 26
LANE, BAR, GAP = 14, 10, 12
MIN_BAR = 3.0
TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle, in units of the chart."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    task_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text and its position."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The shapes that a template draws."""

    height: float
    bars: Sequence[Bar]
    names: Sequence[Label]
    ticks: Sequence[Label]


def timeline(tasks: Sequence[Row], since: datetime, until: datetime) -> Chart:
    """Draws tasks as bars over time, by family; tasks that overlap get lanes below each other."""
    span_s = max((until - since).total_seconds(), 1.0)

    def x_of(moment: datetime) -> float:
        part = (moment - since).total_seconds() / span_s
        return LEFT + (WIDTH - LEFT) * min(max(part, 0.0), 1.0)

    bars: list[Bar] = []
    names: list[Label] = []
    y = float(TOP)
    ordered = sorted(tasks, key=lambda row: (row["family"] or "", row["started_at"]))
    for family, group in groupby(ordered, key=lambda row: row["family"] or "-"):
        names.append(Label(x=0, y=y + BAR, text=family[:22]))
        ends: list[float] = []  # for each lane: the x from which it is free
        for row in group:
            x = x_of(to_time(row["started_at"]))
            end = x_of(to_time(row["ended_at"]) if row["ended_at"] else until)
            end = max(end, x + MIN_BAR)
            lane = next((lane for lane, free in enumerate(ends) if free <= x), len(ends))
            ends[lane : lane + 1] = [end + 1]
            bars.append(
                Bar(
                    x=round(x, 1),
                    y=y + lane * LANE,
                    width=round(end - x, 1),
                    height=BAR,
                    kind=row["outcome"],
                    label=f"{family} {row['task_id']}: {row['outcome']}",
                    task_id=row["task_id"],
                )
            )
        y += len(ends) * LANE + GAP
    step = timedelta(seconds=span_s / TICKS)
    moments = [since + step * number for number in range(TICKS)]
    form = "%d %b %H:%M" if span_s > 86_400 else "%H:%M"
    ticks = [Label(x=round(x_of(at), 1), y=12, text=at.strftime(form)) for at in moments]
    return Chart(height=y, bars=bars, names=names, ticks=ticks)


def columns(rows: Sequence[Row], by: str) -> Chart:
    """Draws a column for each row: all tasks that ended, with the failed ones at the foot."""
    tall, foot = 180.0, 210.0
    most = max((row["ended"] for row in rows), default=1)
    width = min((WIDTH - 40) / max(len(rows), 1), 90.0)
    bars: list[Bar] = []
    ticks: list[Label] = []
    every = max(1, round(90 / width))
    for number, row in enumerate(rows):
        name = row[by] or "-"
        x = 40 + number * width
        whole, failed = tall * row["ended"] / most, tall * row["failed"] / most
        label = f"{name}: {row['failed']} of {row['ended']} failed"
        for kind, height in (("rest", whole), ("failed", failed)):
            bars.append(
                Bar(
                    x=round(x, 1),
                    y=round(foot - height, 1),
                    width=round(width * 0.8, 1),
                    height=round(height, 1),
                    kind=kind,
                    label=label,
                )
            )
        if number % every == 0:
            ticks.append(
                Label(x=round(x, 1), y=foot + 16, text=name[5:] if by != "family" else name)
            )
    names = [Label(x=0, y=foot - tall + 4, text=str(most)), Label(x=0, y=foot, text="0")]
    return Chart(height=foot + 26, bars=bars, names=names, ticks=ticks)
