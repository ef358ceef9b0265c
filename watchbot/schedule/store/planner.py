"""Plans a due job: the runs to enter in the ledger, and the next fire."""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchbot.moment import to_text
from watchbot.schedule.job.job import Job
from watchbot.schedule.store.misfire import Fire, step
from watchbot.schedule.store.run import LedgerEntry
from watchbot.schedule.store.stored import understood

LOOK_AGAIN = timedelta(minutes=1)  # until the next try of a job that this version cannot read

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The result of one pass: the number of runs entered, and of missed runs by job.

    `more`: further jobs may be due already.
    """

    due: int = 0
    missed: Mapping[str, int] = field(default_factory=dict)
    more: bool = False

    @classmethod
    def of(cls, entries: Sequence[LedgerEntry], *, more: bool) -> "Planned":
        """The result of a pass that wrote these entries."""
        missed = Counter(entry.job_id for entry in entries if entry.status == "missed")
        return cls(due=len(entries) - missed.total(), missed=missed, more=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A job that is due. `fields` are JSON."""

    id: str
    fields: str
    generation: int
    created_at: datetime
    next_fire_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """A job's plan: its entries, and its next fire or None; `note` says why there is none."""

    entries: list[LedgerEntry]
    next_fire_at: datetime | None
    note: str | None


def plan_job(due: Due, now: datetime) -> JobPlan:
    """The plan of a due job. An unreadable job gets a note with the reason, and a later try."""
    job, flaw = understood(due.fields, due.id)
    if flaw:
        log.error("job cannot be read", extra={"job": due.id, "reason": flaw})
        return JobPlan(entries=[], next_fire_at=now + LOOK_AGAIN, note=flaw)
    found = step(job, due.created_at, due.next_fire_at, now)
    entries = [_entry(job, due, fire) for fire in found.fires]
    return JobPlan(entries=entries, next_fire_at=found.next_fire_at, note=None)


def sooner(due: Due, now: datetime) -> datetime | None:
    """The earlier next fire of a job after a set-back of the clock; None if it does not change."""
    job, flaw = understood(due.fields, due.id)
    found = None if flaw else next(job.fires(now, due.created_at), None)
    return found if found and found < due.next_fire_at else None


def _entry(job: Job, due: Due, fire: Fire) -> LedgerEntry:
    runs = fire.verdict == "due"
    return LedgerEntry(
        job_id=job.id,
        due_at=fire.due_at,
        cause="schedule",
        generation=due.generation,
        job=due.fields if runs else "{}",  # a missed run needs no fields
        status=fire.verdict,
        reason=fire.reason,
        wake_at=fire.due_at + _jitter(job, fire.due_at) if runs else None,
    )


def _jitter(job: Job, due_at: datetime) -> timedelta:
    """The random delay of a run; computed from job and time, so that all replicas agree."""
    if not job.jitter:
        return timedelta()
    seed = hashlib.sha256(f"{job.id}|{to_text(due_at)}".encode()).digest()
    share = int.from_bytes(seed[:8]) / 2**64
    return timedelta(seconds=share * job.jitter)
