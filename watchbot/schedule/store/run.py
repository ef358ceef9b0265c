"""A run: one time at which a job was due, and how far the work at it has come."""

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
LEASE = timedelta(seconds=5)  # what a replica that died holds up its runs for
RENEW_S = 1.5
LOOKED_AT = timedelta(seconds=15)  # how long a look at the tasks of a run may take


Key = tuple[str, str]  # of a run among those of its job: its time, as text, and its cause


class Lost(Exception):
    """Somebody else has the run now, or it is over."""


class CalledOff(Exception):
    """The run is to end, and to start no more: somebody has said so while it was worked at."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A run to be: a time at which a job was due. `job` is its fields then, as JSON."""

    job_id: str
    due_at: datetime
    cause: Cause
    generation: int
    job: str
    status: Status
    reason: str | None = None
    wake_at: datetime | None = None
    concurrency: int | None = None  # of a backfill: how many may be under way at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of RunTask that is under way: the same again is answered as the first time."""

    number: int
    count: int
    at: str  # when it was made first
    containers: Sequence[str] = ()  # that are told which time they run for
    doubtful: bool = False  # it was made, and nobody knows what came of it

    def stored(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRun:
    """A run that somebody works at. `flaw` says why its job cannot be read, if it cannot.

    `called_off` says why it is to start no more, if it is.
    """

    job: Job
    flaw: str | None = None
    due_at: datetime
    cause: Cause
    generation: int
    created_at: datetime
    attempts: int = 0
    wanted: int | None = None
    call: Call | None = None
    tasks: tuple[dict[str, Any], ...] = ()
    failures: tuple[dict[str, Any], ...] = ()
    concurrency: int | None = None
    called_off: str | None = None

    @property
    def started_nothing(self) -> bool:
        """Whether it is sure that it has started nothing."""
        return not self.tasks and not (self.call and self.call.doubtful)

    @property
    def takes_turns(self) -> bool:
        """Whether what it starts depends on the other runs of its job."""
        if self.job.target:
            return False
        return self.cause == "backfill" or self.job.overlap != "allow"

    @property
    def order(self) -> Key:
        """By which the runs of a job are in order."""
        return to_text(self.due_at), self.cause

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the run: job, time and cause."""
        return self.job.id, to_text(self.due_at), self.cause

    @property
    def started_by(self) -> str:
        """The mark on its tasks, of which ECS takes 128 characters."""
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
        """By which ECS, or a FIFO queue, knows that a call is the same as one before."""
        # One that was skipped may be asked for again: that is another call.
        made = to_text(self.created_at)
        whole = "|".join([*self.key, str(self.generation), made, str(number)])
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A run as another run of its job sees it: one that is not over, or whose tasks may run.

    `begun`: it was decided or tried; `over`: it starts no more. `missing` tasks are to be started
    still, if that is known. `sure`: it has started nothing, and is decided again on its next try.
    One that is `asleep` has its jitter to wait for, and goes before none.
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
        """As `Run.order`."""
        return to_text(self.due_at), self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How the work at a run ended."""

    status: Status
    reason: str | None = None
    tasks: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run whose tasks were started, and have not been seen to end."""

    job_id: str
    cluster: str | None
    due_at: datetime
    cause: Cause
    status: Status
    arns: Sequence[str]
    started_at: datetime


def job_mark(job_id: str) -> str:
    """The prefix of `startedBy` of each task of a job."""
    name = job_id if len(job_id) <= 80 else f"{job_id[:60]}-{_short_hash(job_id)}"
    return f"wb/{name}/"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Which runs of a job are called off, and why; without a time or a cause: all of them."""

    reason: str
    due_at: datetime | None = None
    cause: Cause | None = None


SUSPENDED, DELETED = Cancel(reason="the job was suspended"), Cancel(reason="the job was deleted")
