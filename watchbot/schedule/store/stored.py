"""Defines a stored job and its changes, for every kind of store."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from watchbot.schedule.job.job import Job, read_job

# Fields that decide when a job fires; after a change of one, the next fire is computed again.
_TIMES = {"schedule", "timezone", "dialect", "dst", "schedule_start", "schedule_end"}
_NEVER = {"schedule": "@yearly", "scheduleEnd": "1970-01-01T00:00:00Z", "suspended": True}
_LONGEST_NOTE = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A stored job with its state."""

    job: Job
    fields: dict[str, Any]  # as the user wrote them
    generation: int
    created_at: datetime
    next_fire_at: datetime | None
    last_run_at: datetime | None
    last_run_tasks: list[dict[str, Any]]
    failures: int
    note: str | None = None
    source: str | None = None  # the table that declares the job
    source_fields: str | None = None  # the fields that the source gave last


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a stored job to a new version. `moved`: the next fire changes, too."""

    fields: str
    source_fields: str | None
    note: str | None
    failures: int
    moved: bool
    next_fire_at: datetime | None


def unstored(job: Job, now: datetime) -> StoredJob:
    """A job in its stored form, without storing it."""
    return StoredJob(
        job=job,
        fields={},
        generation=0,
        created_at=now,
        next_fire_at=None,
        last_run_at=None,
        last_run_tasks=[],
        failures=0,
    )


class Taken(Exception):
    """A job with this name exists."""

    def __init__(self) -> None:
        super().__init__("a job with this name exists")


class NeverFires(Exception):
    """The job has no further fire: its end, or its only time, is past."""

    def __init__(self) -> None:
        super().__init__("It would never fire: all its times are past.")


def understood(fields: str, job_id: str) -> tuple[Job, str | None]:
    """The job that these fields describe, and an error or None.

    Another version of this program, or of the time zone list, may have accepted fields that this
    one cannot read. Then the returned job is a substitute that never fires, so that other jobs run
    and the user can change or remove this one.
    """
    try:
        return read_job(fields), None
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in problem["loc"])
        flaw = f"not run: its field {path} is wrong: {problem['msg']}"
        return Job.model_validate({"id": job_id, **_NEVER}), flaw


def first_fire(job: Job, now: datetime, created: datetime) -> datetime | None:
    """The job's first fire after `now`; None if it is suspended. Raises `NeverFires`."""
    found = next(job.fires(now, created), None)
    if found is None:
        raise NeverFires
    return None if job.suspended else found


def changed(
    old: StoredJob, job: Job, now: datetime, note: str | None, *, by_source: bool
) -> Change:
    """The change from `old` to `job`. Raises `NeverFires`."""
    same_state = job.suspended == old.job.suspended
    other_times = _times(old.job) != _times(job)
    moved = other_times or not same_state
    next_fire_at = old.next_fire_at
    if other_times:
        next_fire_at = first_fire(job, now, old.created_at)
    elif moved:  # a user may pause and resume a job even if all its times are past
        next_fire_at = None if job.suspended else next(job.fires(now, old.created_at), None)
    return Change(
        fields=job.stored(),
        source_fields=job.stored() if by_source else old.source_fields,
        note=note or (old.note if same_state else None),
        failures=old.failures if same_state else 0,
        moved=moved,
        next_fire_at=next_fire_at,
    )


def paused(fields: str, failures: int, reason: str) -> tuple[str, str] | None:
    """The new fields and the note of a job that must be paused after `failures`; else None."""
    most = json.loads(fields).get("pauseAfterFailures")
    if not most or failures < most:
        return None
    note = f"paused after {failures} failures; the last: {reason}"
    return json.dumps({**json.loads(fields), "suspended": True}), note[:_LONGEST_NOTE]


def _times(job: Job) -> dict[str, Any]:
    return job.model_dump(include=_TIMES)
