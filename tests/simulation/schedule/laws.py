"""The laws: each is a promise of docs/reference/jobs.md, with the faults under which it holds.

Those that name no fault hold under all that the simulation has.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.judging import Judge
from tests.simulation.schedule.history import Planned
from tests.simulation.schedule.real import LeasedRun

Key = tuple[
    str, int, str
]  # a run: its job, the milliseconds of its time, the first letter of its cause

LAWS: Mapping[str, str] = {
    "one at a time": "Overlap: under `skip` and `buffer_one` tasks of two runs never run at once. "
    "Not where a run is called off, or its token is too old, while an answer of RunTask is missing",
    "in order": "Overlap: runs of a job are decided in the order of their times. "
    "Not where the clock is set back, and with the exception of `one at a time`",
    "no start after the end": "What a change reaches: once a pause, a delete or a cancel has "
    "returned, a call that is under way is the last one",
    "no fire while paused": "Fields, `suspended`: nothing fires, and nothing of a deleted job",
    "as the job is now": "What a change reaches: a run that has surely started nothing is started "
    "by the job as it is when it is tried",
    "once": "Once: no run starts more tasks than its job has; so each backfilled time runs once",
    "backfill in turn": "Backfill: no more runs at once than `concurrency`. "
    "With the exception of `one at a time`",
    "nothing lost": "Once: every fire of an unchanged job is a row, and every row ends. "
    "The fires: not where the clock is set back",
    "every task known": "Once: each task of ECS is in the row of its run, or that is `uncertain`",
    "no crash": "a replica ends when it is told to, and never by itself",
    "no livelock": "the loop's steps are bounded",
}


@dataclass(slots=True)
class Ban:
    """Runs that were called off; of these, calls that were under way may still be made once."""

    why: str
    under_way: bool


class Laws(Judge):
    """Watches all that happens."""

    def __init__(self, jobs: Mapping[str, Planned], now: Callable[[], float]) -> None:
        super().__init__(LAWS, now)
        self.jobs = jobs
        self.steady = True  # the clock was never set back
        self.doubtful = False  # a run was called off while an answer was missing
        self.versions: dict[str, int] = defaultdict(
            int
        )  # of jobs, as edits that returned made them
        self.paused = set[str]()
        self.concurrency: dict[str, int] = defaultdict(int)
        self.bans: dict[Key, Ban] = {}
        self.placed: dict[Key, list[str]] = defaultdict(list)
        self._running: dict[str, Key] = {}
        self._taken: dict[tuple[str, Key], tuple[int, bool]] = {}
        self._decided_at: dict[Key, float] = {}
        self.entered_at: Callable[[Key], float | None] = lambda key: None

    def taken(self, who: str, run: LeasedRun, versions: Mapping[str, int]) -> None:
        key = key_of(run.started_by)
        self.say(who, f"takes {_shown(key)}")
        self._taken[who, key] = (versions.get(run.job.id, 0), run.started_nothing)
        if run.started_nothing:  # else it was decided before
            self._decided_at[key] = self.now()

    def asked(self, who: str, given: Mapping[str, Any]) -> None:
        """A replica sends RunTask."""
        key, version = key_of(given["startedBy"]), version_of(given)
        self.say(who, f"asks for {given['count']} tasks of {_shown(key)} as version {version}")
        ban = self.bans.get(key)
        if ban:
            self.check(ban.under_way, "no start after the end", f"{_shown(key)}: {ban.why}")
            ban.under_way = False
        elif key[2] == "s":
            self.check(key[0] not in self.paused, "no fire while paused", _shown(key))
        known, afresh = self._taken.get((who, key), (0, False))
        if afresh:
            text = f"{_shown(key)} as version {version}, the job had {known}"
            self.check(version >= known, "as the job is now", text)
        self._taken[who, key] = (known, False)

    def task_started(self, task: Mapping[str, Any], calls: int) -> float:
        """Seconds that the task lasts at most."""
        key = key_of(task["startedBy"])
        job = self.jobs[key[0]]
        self.say("ecs", f"starts {task['taskArn'].rpartition('/')[2]} of {_shown(key)}")
        first = not self.placed[key]
        self.placed[key].append(task["taskArn"])
        self.check(len(self.placed[key]) <= job.tasks, "once", f"{_shown(key)} has more tasks")
        others = {
            other
            for other in self._running.values()
            if other != key and other[0] == key[0] and (other[2] == "b") == (key[2] == "b")
        }
        self._check_overlap(key, job, others)
        if first:
            self._check_order(key, job)
        self._running[task["taskArn"]] = key
        return job.lasts

    def task_ended(self, task: Mapping[str, Any]) -> None:
        key = self._running.pop(task["taskArn"])
        self.say("ecs", f"ends {task['taskArn'].rpartition('/')[2]} of {_shown(key)}")

    def _check_overlap(self, key: Key, job: Planned, others: set[Key]) -> None:
        if self.doubtful:
            return
        if key[2] == "b":
            most = self.concurrency[job.id]
            self.check(len(others) < most, "backfill in turn", f"{_shown(key)}, {len(others)} run")
        elif job.overlap in {"skip", "buffer_one"}:
            text = f"{_shown(key)} beside {', '.join(map(_shown, sorted(others)))}"
            self.check(not others, "one at a time", text)

    def _check_order(self, key: Key, job: Planned) -> None:
        if key[2] == "b" or job.overlap not in {"skip", "buffer_one"} or not self.steady:
            return
        if self.doubtful:
            return
        entered_at = self.entered_at(key)
        for later, decided_at in self._decided_at.items():
            passed = self.placed.get(later) and later[0] == key[0] and later[2] != "b"
            if passed and later[1] > key[1] and entered_at is not None:
                text = f"{_shown(key)} after {_shown(later)}"
                self.check(entered_at >= decided_at, "in order", text)


def key_of(started_by: str) -> Key:
    """The run that a task is marked with."""
    _, job, milliseconds, cause = started_by.split("/")
    return job, int(milliseconds), cause


def version_of(given: Mapping[str, Any]) -> int:
    """The version of the job that RunTask was asked by."""
    (container,) = given["overrides"]["containerOverrides"]
    return int({each["name"]: each["value"] for each in container["environment"]}["VERSION"])


def _shown(key: Key) -> str:
    job, milliseconds, cause = key
    return f"{job}@{milliseconds / 1000 % 10_000:.3f}/{cause}"
