"""A stored job and its changes, for every kind of store."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from watchbot.schedule.job.job import Job, read_job

# What decides when a job fires: where one of these has changed, its next fire is sought anew.
_TIMES = {"schedule", "timezone", "dialect", "dst", "schedule_start", "schedule_end"}
_NEVER = {"schedule": "@yearly", "scheduleEnd": "1970-01-01T00:00:00Z", "suspended": True}
_LONGEST_NOTE = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job, and what has become of it."""

    job: Job
    fields: dict[str, Any]  # as they were written
    generation: int
    created_at: datetime
    next_fire_at: datetime | None
    last_run_at: datetime | None
    last_run_tasks: list[dict[str, Any]]
    failures: int
    note: str | None = None
    source: str | None = None  # what it is kept in step with
    source_fields: str | None = None  # what its source said last, if it has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a new version of a job makes of the stored one. `moved`: its next fire is another."""

    fields: str
    source_fields: str | None
    note: str | None
    failures: int
    moved: bool
    next_fire_at: datetime | None


def unstored(job: Job, now: datetime) -> StoredJob:
    """A job as it would be if it were stored now."""
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
    """There is a job of this name."""

    def __init__(self) -> None:
        super().__init__("there is a job of this name")


class NeverFires(Exception):
    """It has no fire to come: its end, or its one time, is past."""

    def __init__(self) -> None:
        super().__init__("It would never fire: all its times are past.")


def understood(fields: str, job_id: str) -> tuple[Job, str | None]:
    """The job that these fields describe, and what is wrong with them.

    Another version of this program, or of the list of time zones, may have accepted what cannot be
    read here. That job keeps no other from running, and may be changed or removed: what stands for
    it fires never.
    """
    try:
        return read_job(fields), None
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in problem["loc"])
        flaw = f"not run: its field {path} is wrong: {problem['msg']}"
        return Job.model_validate({"id": job_id, **_NEVER}), flaw


def first_fire(job: Job, now: datetime, created: datetime) -> datetime | None:
    """Its first fire after now; None while it is suspended. Raises `NeverFires`."""
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
    elif moved:  # a job whose times are past may be paused and resumed as any other
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
    """The fields and the note of a job that now has failed so often in a row that it is paused."""
    most = json.loads(fields).get("pauseAfterFailures")
    if not most or failures < most:
        return None
    note = f"paused after {failures} failures; the last: {reason}"
    return json.dumps({**json.loads(fields), "suspended": True}), note[:_LONGEST_NOTE]


def _times(job: Job) -> dict[str, Any]:
    return job.model_dump(include=_TIMES)
