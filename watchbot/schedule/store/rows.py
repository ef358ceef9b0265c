"""Reads jobs and runs from rows of SQL or items of DynamoDB.

Both have the same names and texts. An unset value is None in a row, and absent in an item.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from watchbot.moment import to_time
from watchbot.schedule.store.planner import Due
from watchbot.schedule.store.run import ENDS_ILL, LeasedRun, Other, StartCall, Started
from watchbot.schedule.store.stored import StoredJob, understood

Row = Mapping[str, Any]

_TRIED = ("started", *ENDS_ILL)


def stored_job(row: Row, job_id: str, next_fire_at: str | None) -> StoredJob:
    """A stored job with its state."""
    job, flaw = understood(row["fields"], job_id)
    return StoredJob(
        job=job,
        fields=json.loads(row["fields"]),
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        next_fire_at=None if flaw else _time(next_fire_at),
        last_run_at=_time(row.get("last_run_at")),
        last_run_tasks=_list(row.get("last_run_tasks")),
        failures=row["failures"],
        note=flaw or row.get("note"),
        source=row.get("source"),
        source_fields=row.get("source_fields"),
    )


def job_due(row: Row, job_id: str, next_fire_at: str) -> Due:
    """A due job for the planner."""
    return Due(
        id=job_id,
        fields=row["fields"],
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        next_fire_at=to_time(next_fire_at),
    )


def run_to_start(row: Row, job_now: Row | None, *, doubtful: bool = False) -> LeasedRun:
    """A leased run and its progress; `job_now` is the current state of its job.

    `doubtful`: the result of the run's call is unknown. As long as the run has surely started
    nothing, the scheduler decides it again, with the job's current fields.
    """
    run = _as_written(row)
    if run.call and doubtful:
        run = replace(run, call=replace(run.call, doubtful=True))
    if not run.started_nothing or run.called_off:
        return run
    run = replace(run, wanted=None)
    if job_now is None:
        return replace(run, called_off="the job was deleted")
    if job_now["generation"] == run.generation:
        return run
    job, flaw = understood(job_now["fields"], run.job.id)
    if run.cause == "schedule" and job.suspended and not flaw:
        return replace(run, called_off="the job was suspended")
    return replace(run, job=job, flaw=flaw, generation=job_now["generation"])


def other_run(row: Row, now: datetime) -> Other:
    """A run for the decision about another run of its job."""
    tasks = [task["taskId"] for task in _list(row.get("tasks"))]
    wanted, wake_at = row.get("wanted"), _time(row.get("wake_at"))
    tried = bool(row["attempts"] or row.get("reason") or row.get("owner"))
    return Other(
        due_at=to_time(row["due_at"]),
        cause=row["cause"],
        begun=wanted is not None or bool(row["attempts"]),
        sure=not tasks and _not_made(row),
        over=row["status"] != "due",
        asleep=not tried and wake_at is not None and wake_at > now,
        missing=None if wanted is None else wanted - len(tasks),
        arns=tasks,
        cluster=json.loads(row["job"]).get("cluster"),
        started_at=_time(row.get("started_at")),
    )


def _not_made(row: Row) -> bool:
    """Whether the run has surely not made its call, or has none."""
    call = row.get("call")
    return not call or not (row.get("owner") or json.loads(call)["doubtful"])


def _as_written(row: Row) -> LeasedRun:
    job, flaw = understood(row["job"], row["job_id"])
    call = row.get("call")
    return LeasedRun(
        job=job,
        flaw=flaw,
        due_at=to_time(row["due_at"]),
        cause=row["cause"],
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        attempts=row["attempts"],
        wanted=row.get("wanted"),
        call=StartCall(**json.loads(call)) if call else None,
        tasks=tuple(_list(row.get("tasks"))),
        failures=tuple(_list(row.get("failures"))),
        concurrency=row.get("concurrency"),
        called_off=row.get("called_off"),
    )


def run_started(row: Row) -> Started:
    """A run with tasks to look at."""
    return Started(
        job_id=row["job_id"],
        cluster=json.loads(row["job"]).get("cluster"),
        due_at=to_time(row["due_at"]),
        cause=row["cause"],
        status=row["status"],
        arns=[task["taskId"] for task in _list(row["tasks"])],
        started_at=to_time(row["started_at"]),
    )


def run_shown(row: Row) -> dict[str, Any]:
    """A run in the API's form."""
    return {
        "dueAt": row["due_at"],
        "cause": row["cause"],
        "status": row["status"],
        "reason": row.get("reason"),
        # `attempts` counts only the tries that put the run off; the last try ended the run.
        "attempts": row["attempts"] + (row["status"] in _TRIED),
        "wanted": row.get("wanted"),
        "tasks": _ended(_list(row.get("tasks")), row.get("ends")),
        "failures": _list(row.get("failures")),
        "createdAt": row["created_at"],
        "startedAt": row.get("started_at"),
        "outcome": row.get("outcome"),
    }


def run_of_all(row: Row) -> dict[str, Any]:
    """A run among those of all jobs, in the API's form: with the name and the zone of its job."""
    zone = json.loads(row["job"]).get("timezone", "UTC")
    return {"job": row["job_id"], "timezone": zone, **run_shown(row)}


def _ended(tasks: list[dict[str, Any]], ends: str | None) -> list[dict[str, Any]]:
    """The tasks of a run; those that have ended also with their ends."""
    known: dict[str, Any] = json.loads(ends) if ends else {}
    return [{**task, **known.get(task["taskId"], {})} for task in tasks]


def _list(text: str | None) -> list[dict[str, Any]]:
    return json.loads(text) if text else []


def _time(text: str | None) -> datetime | None:
    return to_time(text) if text else None
