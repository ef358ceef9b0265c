"""Decides what a run does, from the tasks it wants and those under way: pure functions.

The scheduler decides the runs of one job one at a time; `turn` describes how. Each try decides
anew, until the run has started something.
"""

import math
from dataclasses import dataclass

from watchbot.schedule.job.job import MAX_TASKS, Job, Overlap

TURN_S = 1  # the pause of a run that waits for its turn
LOOK_AGAIN_S = 5  # the pause of a run that waits for the end of tasks
LONGEST_WAIT_S = 600  # the longest pause of a run behind many others of a backfill


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTasks:
    """Start this number of tasks; with `stop`, stop the job's other tasks first."""

    count: int
    stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Start no task; the run is over."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Start no task yet; decide again after `seconds`."""

    reason: str
    seconds: float = LOOK_AGAIN_S


Decision = StartTasks | Skip | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """The other work of a job while the scheduler decides one of its runs.

    `tasks` is the number of running tasks. `begun` is the number of runs that are decided but not
    over; they must still start `missing` tasks. `ahead` is the number of earlier undecided runs.
    """

    tasks: int = 0
    begun: int = 0
    missing: int = 0
    ahead: int = 0


def expected(job: Job, waiting: int | None) -> int:
    """The number of tasks that a run wants; `waiting` is the backlog if the trigger is a queue."""
    most = job.max_count or MAX_TASKS
    if waiting is None:
        return min(most, job.task_count)
    if waiting == 0 or job.trigger is None:
        return 0
    return min(most, max(math.ceil(waiting / job.trigger.messages_per_task), job.task_count))


def decide(overlap: Overlap, wanted: int, now: UnderWay) -> Decision:
    """Decides a run that wants `wanted` tasks, from the job's other work."""
    if wanted == 0:
        return Skip(reason="no message waits in the queue")
    if overlap == "allow":
        return StartTasks(count=wanted)
    if overlap == "top_up":
        return _top_up(wanted, now)
    busy = bool(now.tasks or now.begun)
    if now.ahead and not (busy and overlap != "replace"):
        return _in_turn()
    if not busy:
        return StartTasks(count=wanted)
    if overlap == "replace":
        return StartTasks(count=wanted, stop=True)
    if overlap == "buffer_one" and not now.ahead:
        return Wait(reason=_why(now))
    return Skip(reason="an earlier run waits already" if overlap == "buffer_one" else _why(now))


def decide_backfill(wanted: int, at_once: int, under_way: int, ahead: int) -> Decision:
    """Decides a run of a backfill that wants `wanted` tasks and may run `at_once` runs at once."""
    if wanted == 0:
        return Skip(reason="no message waits in the queue")
    free = at_once - under_way
    if free > ahead:
        return _in_turn() if ahead else StartTasks(count=wanted)
    seconds = min(LOOK_AGAIN_S * (ahead - free + 1), LONGEST_WAIT_S)
    reason = f"{under_way} runs of the backfill are under way, {ahead} go before this one"
    return Wait(reason=reason, seconds=seconds)


def _top_up(wanted: int, now: UnderWay) -> Decision:
    there = now.tasks + now.missing
    if wanted <= there:
        more = ", and an earlier run is not started yet" if now.begun else ""
        return Skip(reason=f"{now.tasks} tasks run, of {wanted} that are wanted{more}")
    return _in_turn() if now.ahead else StartTasks(count=wanted - there)


def _in_turn() -> Wait:
    return Wait(reason="an earlier run is decided first", seconds=TURN_S)


def _why(now: UnderWay) -> str:
    if now.tasks:
        return f"{now.tasks} tasks of an earlier run are not done"
    return "an earlier run is not started yet"
