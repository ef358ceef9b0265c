"""Computes a job's fires, and adds the runs that people ask for."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchbot.schedule.store.run import Cause, LedgerEntry
from watchbot.schedule.store.store import Store
from watchbot.schedule.store.stored import StoredJob

MAX_BACKFILL = 1000  # runs that one request may ask for

_TICK = timedelta(milliseconds=1)  # the resolution of the ledger's times
_INSTANT = timedelta(microseconds=1)  # includes a fire at the start itself


def upcoming(stored: StoredJob, after: datetime, count: int) -> list[datetime]:
    """The next fires of a job after `after`, even if the job is paused."""
    return list(itertools.islice(stored.job.fires(after, stored.created_at), count))


def between(stored: StoredJob, start: datetime, end: datetime) -> list[datetime]:
    """The job's fires from `start` to `end`; at most `MAX_BACKFILL` + 1."""

    def found() -> Iterator[datetime]:
        fires = stored.job.fires(start - _INSTANT, stored.created_at)
        return itertools.takewhile(lambda fire: fire <= end, fires)

    return list(itertools.islice(found(), MAX_BACKFILL + 1))


async def run_now(store: Store, stored: StoredJob) -> datetime:
    """Adds a manual run that is due now; returns its time, moved until no manual run has it."""
    now = due_at = await store.now()
    while not await store.runs.enter([_entry(stored, "manual", due_at, now)]):
        due_at += _TICK
    return due_at


async def backfill(
    store: Store, stored: StoredJob, fires: Sequence[datetime], concurrency: int = 1
) -> list[datetime]:
    """Adds runs for these times, `concurrency` of them at once; returns those that are new."""
    now = await store.now()
    entries = [
        replace(_entry(stored, "backfill", fire, now), concurrency=concurrency) for fire in fires
    ]
    return [entry.due_at for entry in await store.runs.enter(entries)]


def _entry(stored: StoredJob, cause: Cause, due_at: datetime, now: datetime) -> LedgerEntry:
    return LedgerEntry(
        job_id=stored.job.id,
        due_at=due_at,
        cause=cause,
        generation=stored.generation,
        job=json.dumps(stored.fields),
        status="due",
        wake_at=now,
    )
