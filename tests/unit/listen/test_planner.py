"""Which runs are ended when the drain begins, and when."""

import logging
from typing import Any

import anyio
import pytest

from tests.support.builders import a_message, a_report
from tests.support.watching import some_settings
from watchbot.lifecycle import Stop
from watchbot.listen.ends import Ends
from watchbot.listen.planner import Planner, draining, expected
from watchbot.listen.report import Run
from watchbot.listen.runner import Job
from watchbot.outcome import COMPLETED, FAILED, RELEASED, Outcome
from watchbot.sqs.envelope import open_envelope

HOUR = [3600.0] * 20
DRAIN_S = 110.0


def a_job(name: str, *, left_s: float = 43_200) -> Job:
    message = a_message(name)
    return Job(
        message=message,
        content=open_envelope(message),
        withheld=lambda: None,
        left_s=lambda: left_s,
        leave_seat=lambda: None,
        tell=lambda _: None,
    )


@pytest.mark.parametrize(
    ("durations", "lasted_s", "ended"),
    [
        (HOUR, 0, True),
        (HOUR, 3600 - DRAIN_S - 1, True),
        (HOUR, 3600 - DRAIN_S, False),  # it ends with the drain
        (HOUR[1:], 0, False),  # too few are known
        (HOUR, 3600, False),  # longer than any: it may end now
        ([10.0] * 100, 0, False),
        ([10.0] * 100, 11, False),
        ([10.0] * 95 + [3600.0] * 5, 11, True),  # it is one of the long ones
        ([10.0] * 95 + [3600.0] * 5, 1, False),  # it may be one of the short ones
        ([10.0] * 96 + [3600.0] * 4, 11, False),  # too few were as long
        ([100.0] + [3600.0] * 19, 0, True),
        ([100.0] * 2 + [3600.0] * 18, 0, False),
        ([3600.0 + 10 * number for number in range(40)], 3000, True),
        ([3000.0 + 10 * number for number in range(40)], 3000, False),
    ],
)
def test_run_is_ended_where_nearly_none_like_it_ended_in_time(
    durations: list[float], lasted_s: float, *, ended: bool
) -> None:
    assert (expected(durations, lasted_s, DRAIN_S) is not None) == ended


def test_rest_is_that_of_the_runs_that_lasted_as_long() -> None:
    rest = expected([1.0] * 80 + [float(1000 + number) for number in range(20)], 500, 10)

    assert rest is not None
    assert (rest.p50_s, rest.p95_s) == (509, 518)


class Played:
    """Runs of a command, the first of them known to have taken an hour, and a drain."""

    def __init__(self, known: int = 20, outcome: Outcome = COMPLETED) -> None:
        self.stop = Stop()
        self.ends = Ends(some_settings(kill_grace=10), self.stop)
        self.planner = Planner(self.ends)
        for number in range(known):
            run = Run(id=str(number), duration_s=3600)
            self.planner.observe(a_report(number, outcome=outcome, run=run))
        self.ended: dict[str, tuple[float, str]] = {}
        self.stores = False  # a checkpoint, when a run is told to end

    async def run(self, job: Job, lasts_s: float) -> None:
        with self.ends.limited([job]) as limit:
            await anyio.sleep(lasts_s)
        job.asks.stored += self.stores
        how = self.ends.told(limit)[1] if limit.ended else "by itself"
        self.ended[job.message.id] = (anyio.current_time(), how)
        outcome = RELEASED if limit.ended else COMPLETED
        self.planner.observe(a_report(message=job.message, outcome=outcome))

    async def play(self, *, planned: bool = True, **runs: tuple[Job, float]) -> dict[str, Any]:
        """When and how each run ended; SIGTERM comes after ten minutes."""
        planner = self.planner if planned else None
        began = anyio.current_time()
        async with (
            draining(self.stop, self.ends, DRAIN_S, planner),
            anyio.create_task_group() as at,
        ):
            for job, lasts_s in runs.values():
                at.start_soon(self.run, job, lasts_s)
            await anyio.sleep(600)
            self.stop.ask()
            await anyio.sleep(DRAIN_S)
            self.ends.release_all()
        return {name: (round(when - began), how) for name, (when, how) in self.ended.items()}


EARLY = "the watcher is leaving, and it could not end in time"
LATE = "the watcher is leaving"


@pytest.mark.jumping
async def test_hopeless_run_is_ended_when_the_drain_begins_and_no_other(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    played = Played()
    for number in range(20, 60):  # of the watcher's other runs
        run = Run(id=str(number), duration_s=650)
        played.planner.observe(a_report(number, outcome=COMPLETED, run=run))

    ended = await played.play(hour=(a_job("hour"), 3600), quick=(a_job("quick"), 650))

    # After ten minutes two of three runs like these end in time: nothing is sure.
    assert ended == {"quick": (650, "by itself"), "hour": (710, LATE)}

    caplog.clear()
    ended = await Played().play(hour=(a_job("hour"), 3600))

    assert ended == {"hour": (600, EARLY)}
    planned, _ = [each for each in caplog.records if "early" in each.getMessage()]
    assert (planned.lasted_s, planned.left_s) == pytest.approx((600, DRAIN_S))
    assert (planned.rest_p50_s, planned.rest_p95_s) == pytest.approx((3000, 3000))


@pytest.mark.jumping
@pytest.mark.parametrize(("stores", "kept_s"), [(True, 600), (False, 0)])
async def test_log_says_whether_the_work_was_kept(
    caplog: Any, *, stores: bool, kept_s: float
) -> None:
    caplog.set_level(logging.INFO)
    job, played = a_job("hour"), Played()
    job.asks.stored = 3  # before the drain: that is not the plan's merit
    played.stores = stores
    await played.play(hour=(job, 3600))

    noted = caplog.records[-1]
    how = "and stored a checkpoint" if stores else "without a checkpoint"
    assert noted.getMessage() == f"ended early, {how}"
    assert (noted.message_id, noted.spared_s) == ("hour", pytest.approx(DRAIN_S))
    assert noted.kept_s == pytest.approx(kept_s)


@pytest.mark.jumping
@pytest.mark.parametrize(
    ("played", "planned"),
    [
        (lambda: Played(known=19), True),
        (lambda: Played(outcome=FAILED), True),
        (lambda: Played(), False),
    ],
    ids=["few", "failed", "off"],
)
async def test_drain_stays_as_it_is_without_knowledge(played: Any, *, planned: bool) -> None:
    ended = await played().play(planned=planned, hour=(a_job("hour"), 3600))

    assert ended == {"hour": (710, LATE)}


@pytest.mark.jumping
async def test_run_that_is_ended_early_has_all_of_the_drain_and_two_seconds() -> None:
    played = Played()
    grace = []

    async def told() -> None:
        await played.ends.grace(early=True)
        grace.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as telling:
        telling.start_soon(told)
        await played.play(hour=(a_job("hour"), 3600))

    assert grace[0] - began == pytest.approx(600 + DRAIN_S + 2)


@pytest.mark.jumping
async def test_time_that_is_left_is_that_of_the_drain() -> None:
    played, left = Played(known=0), []

    async def ask() -> None:
        for at_s in (599, 2, 209):
            await anyio.sleep(at_s)
            limits = played.ends.under_way()
            left.append(round(played.ends.left_s(limits[0] if limits else None)))

    async with anyio.create_task_group() as asking:
        asking.start_soon(ask)
        await played.play(hour=(a_job("hour", left_s=3615), 3600))

    assert left == [3600 - 599, DRAIN_S - 1, 0]
