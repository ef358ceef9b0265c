"""Defines a run: a time when a job was due, and the progress of the work at it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from watchbot.moment import to_text
from watchbot.schedule.job.job import Job

Cause = Literal["schedule", "manual", "backfill"]
Status = Literal["due", "started", "partial", "skipped", "missed", "failed", "uncertain"]
ENDS_ILL = ("partial", "failed", "uncertain")
ILL = (*ENDS_ILL, "missed")  # statuses that a person should see
LEASE = timedelta(seconds=5)  # how long a dead replica delays its runs
RENEW_S = 1.5
LOOKED_AT = timedelta(seconds=15)  # how long a look at the tasks of a run may take


Key = tuple[str, str]  # a run's time, as text, and its cause; unique within its job


class Lost(Exception):
    """Another replica has the run now, or the run is over."""


class CalledOff(Exception):
    """The run must end and start nothing more: it was called off while a replica worked at it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A new run for the ledger: a time when a job was due, and the job's fields then, as JSON."""

    job_id: str
    due_at: datetime
    cause: Cause
    generation: int
    job: str
    status: Status
    reason: str | None = None
    wake_at: datetime | None = None
    concurrency: int | None = None  # of a backfill: the most runs under way


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCall:
    """A call of RunTask under way. ECS answers an identical repeat as it did the first call."""

    number: int
    count: int
    at: str  # the time of the first try
    containers: Sequence[str] = ()  # containers that get the run's time
    doubtful: bool = False  # the call was made, but its result is unknown

    def stored(self) -> str:
        """The call as JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRun:
    """A run that a replica works at.

    `flaw` says why its job cannot be read, or is None. `called_off` says why the run must not start
    anything more, or is None.
    """

    job: Job
    flaw: str | None = None
    due_at: datetime
    cause: Cause
    generation: int
    created_at: datetime
    attempts: int = 0
    wanted: int | None = None
    call: StartCall | None = None
    tasks: tuple[dict[str, Any], ...] = ()
    failures: tuple[dict[str, Any], ...] = ()
    concurrency: int | None = None
    called_off: str | None = None

    @property
    def started_nothing(self) -> bool:
        """Whether the run has surely started nothing."""
        return not self.tasks and not (self.call and self.call.doubtful)

    @property
    def takes_turns(self) -> bool:
        """Whether the decision about this run depends on other runs of its job."""
        if self.job.target:
            return False
        return self.cause == "backfill" or self.job.overlap != "allow"

    @property
    def order(self) -> Key:
        """A key that sorts the runs of a job."""
        return to_text(self.due_at), self.cause

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the run: job, time and cause."""
        return self.job.id, to_text(self.due_at), self.cause

    @property
    def started_by(self) -> str:
        """The `startedBy` of the run's tasks; ECS takes 128 characters."""
        milliseconds = round(self.due_at.timestamp() * 1000)
        return f"{job_mark(self.job.id)}{milliseconds}/{self.cause[0]}"

    @property
    def told(self) -> dict[str, str]:
        """The variables for the run's tasks and message; none if the job has `passDueAt: false`."""
        if not self.job.pass_due_at:
            return {}
        job_id, due_at, cause = self.key
        return {
            "WATCHBOT_JOB": job_id,
            "WATCHBOT_DUE_AT": due_at,
            "WATCHBOT_RUN_CAUSE": cause,
        }

    def token(self, number: int) -> str:
        """The token by which ECS, or a FIFO queue, recognizes a repeated call."""
        # A user may ask again for a skipped run, which needs another token.
        made = to_text(self.created_at)
        whole = "|".join([*self.key, str(self.generation), made, str(number)])
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A run of the job that is not over, or whose tasks may run, for a decision about another run.

    `begun`: a replica has decided or tried it. `over`: it starts nothing more. `missing` is the
    number of tasks that it must still start, or None if unknown. `sure`: it has surely started
    nothing, so its next try decides again. `asleep`: it waits for its jitter, and no run waits
    for it.
    """

    due_at: datetime
    cause: Cause
    begun: bool
    sure: bool
    over: bool
    asleep: bool
    missing: int | None
    arns: Sequence[str] = ()
    cluster: str | None = None
    started_at: datetime | None = None

    @property
    def key(self) -> Key:
        """A key that sorts the runs of a job, as `LeasedRun.order`."""
        return to_text(self.due_at), self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The end of the work at a run."""

    status: Status
    reason: str | None = None
    tasks: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run whose tasks have started, and whose end nobody has seen."""

    job_id: str
    cluster: str | None
    due_at: datetime
    cause: Cause
    status: Status
    arns: Sequence[str]
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A choice of runs, of all jobs; None leaves a filter out.

    `failed` chooses those that ended ill or were missed, and those whose tasks failed.
    """

    since: datetime
    job: str | None = None
    status: str | None = None
    outcome: str | None = None
    failed: bool = False


def job_mark(job_id: str) -> str:
    """The prefix of `startedBy` for the tasks of a job."""
    name = job_id if len(job_id) <= 80 else f"{job_id[:60]}-{_short_hash(job_id)}"
    return f"wb/{name}/"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A choice of a job's runs to call off, and the reason; without time and cause: all runs."""

    reason: str
    due_at: datetime | None = None
    cause: Cause | None = None


SUSPENDED, DELETED = Cancel(reason="the job was suspended"), Cancel(reason="the job was deleted")
