"""Plans the drain: what cannot end in it gets SIGTERM at once, and all of it for a checkpoint.

Without a plan such a run would get SIGTERM at the drain's end, two seconds before SIGKILL. A run
that may end in time is left alone, and so are all while too few durations are known.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from watchbot import metrics
from watchbot.lifecycle import Stop
from watchbot.listen.ends import Ends, Limit
from watchbot.listen.report import Report

FEWEST = 20  # durations that must be known
FEWEST_LONGER = 5  # of them, longer than the run has lasted
LATE = 0.95  # a run is ended where so great a share of those that lasted as long took too long
REMEMBERED = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestOfRun:
    """How much longer a run takes, in seconds: the middle of what is expected, and nearly all."""

    p50_s: float
    p95_s: float


def expected(durations: Sequence[float], lasted_s: float, left_s: float) -> RestOfRun | None:
    """The rest of a run that has lasted `lasted_s` and cannot end within `left_s`; else None.

    By the durations of earlier runs that lasted at least as long. They must be 5 of at least 20,
    and 19 of 20 must have taken longer than `left_s` from there.
    """
    rests = sorted(each - lasted_s for each in durations if each > lasted_s)
    if len(durations) < FEWEST or len(rests) < FEWEST_LONGER:
        return None
    if sum(each > left_s for each in rests) < LATE * len(rests):
        return None
    return RestOfRun(_quantile(rests, 0.5), _quantile(rests, 0.95))


class Planner:
    """Knows how long this watcher's runs take, as an observer; ends those of no hope."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._durations: OrderedDict[str, float] = OrderedDict()  # by run
        self._told: dict[str, tuple[Limit, int]] = {}  # by receipt, with the checkpoints by then

    def observe(self, report: Report) -> None:
        """Notes how long a run took that completed, and what became of one that was ended early."""
        if told := self._told.pop(report.message.receipt, None):
            self._note(report, *told)
        if report.outcome.name == "completed" and report.run is not None:
            # Each message of a batch has a report; that of the last one has the whole duration.
            self._durations[report.run.id] = report.duration_s
            if len(self._durations) > REMEMBERED:
                self._durations.popitem(last=False)

    def plan(self) -> None:
        """Ends the runs that cannot end before the drain does."""
        now = anyio.current_time()
        left_s = self._ends.drained_at - now
        durations = list(self._durations.values())
        for limit in self._ends.under_way():
            lasted_s = now - limit.began
            rest = expected(durations, lasted_s, left_s)
            if rest is None:
                continue
            self._told |= {job.message.receipt: (limit, job.asks.stored) for job in limit.jobs}
            metrics.ended_early.inc()
            log.info(
                "ended early: it cannot end in the drain, and may write a checkpoint",
                extra={
                    "message_id": limit.jobs[0].message.id,
                    "messages": len(limit.jobs),
                    "lasted_s": lasted_s,
                    "rest_p50_s": rest.p50_s,
                    "rest_p95_s": rest.p95_s,
                    "left_s": left_s,
                },
            )
            self._ends.end_early(limit)

    def _note(self, report: Report, limit: Limit, before: int) -> None:
        job = next(each for each in limit.jobs if each.message.receipt == report.message.receipt)
        now = anyio.current_time()
        stored = job.asks.stored > before
        log.info(
            "ended early, and stored a checkpoint"
            if stored
            else "ended early, without a checkpoint",
            extra={
                "message_id": report.message.id,
                "kept_s": now - limit.began if stored else 0.0,
                "spared_s": max(0.0, self._ends.drained_at - now),
            },
        )


@asynccontextmanager
async def draining(
    stop: Stop, ends: Ends, drain_s: float, planner: Planner | None
) -> AsyncIterator[None]:
    """While open, has `ends` know when the drain will be over, once it begins; and plans it."""

    async def heed() -> None:
        await stop.draining.wait()
        ends.drained_at = anyio.current_time() + drain_s
        if planner is not None:
            planner.plan()

    async with anyio.create_task_group() as heeding:
        heeding.start_soon(heed)
        try:
            yield
        finally:
            heeding.cancel_scope.cancel()


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
