"""How many tasks a run starts: what its trigger asks for, less what runs, as its overlap says."""

import math
from dataclasses import dataclass

from watchbot.schedule.job import MAX_TASKS, Job, Overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start so many tasks; `stop`: those that run are stopped first."""

    count: int
    stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Start none, and do not come back."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Start none yet: another run has to end first."""

    reason: str


Decision = Start | Skip | Wait


def expected(job: Job, waiting: int | None) -> int:
    """How many tasks are wanted; `waiting` is how many messages are, if that is the trigger."""
    most = job.max_count or MAX_TASKS
    if waiting is None:
        return min(most, job.task_count)
    if waiting == 0 or job.trigger is None:
        return 0
    return min(most, max(math.ceil(waiting / job.trigger.messages_per_task), job.task_count))


def decide(overlap: Overlap, wanted: int, running: int) -> Decision:
    """What to do when so many tasks are wanted, and so many of the job run."""
    if wanted == 0:
        return Skip(reason="no message waits in the queue")
    if overlap == "allow" or (running == 0 and overlap != "top_up"):
        return Start(count=wanted)
    if overlap == "top_up":
        missing = wanted - running
        if missing <= 0:
            return Skip(reason=f"{running} tasks run, of {wanted} that are wanted")
        return Start(count=missing)
    if overlap == "replace":
        return Start(count=wanted, stop=True)
    reason = f"{running} tasks of an earlier run are not done"
    return Wait(reason=reason) if overlap == "buffer_one" else Skip(reason=reason)
