"""What a store has of a job or a run, as it is read: a row of SQL, or an item of DynamoDB.

Both give the same names and texts. What is not set is None in the one and not there in the other.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbot.moment import to_time
from watchbot.schedule.planner import Due
from watchbot.schedule.run import ENDS_ILL, Call, Run, Started
from watchbot.schedule.stored import StoredJob, understood

Row = Mapping[str, Any]

_TRIED = ("started", *ENDS_ILL)


def stored_job(row: Row, job_id: str, next_fire_at: str | None) -> StoredJob:
    """A job, with what has become of it."""
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
    """A job that is to be planned."""
    return Due(
        id=job_id,
        fields=row["fields"],
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        next_fire_at=to_time(next_fire_at),
    )


def run_to_start(row: Row) -> Run:
    """A run that somebody has taken, and how far it has come."""
    job, flaw = understood(row["job"], row["job_id"])
    call = row.get("call")
    return Run(
        job=job,
        flaw=flaw,
        due_at=to_time(row["due_at"]),
        cause=row["cause"],
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        attempts=row["attempts"],
        wanted=row.get("wanted"),
        call=Call(**json.loads(call)) if call else None,
        tasks=tuple(_list(row.get("tasks"))),
        failures=tuple(_list(row.get("failures"))),
    )


def run_started(row: Row) -> Started:
    """A run whose tasks are to be looked at."""
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
    """A run as the API shows it."""
    return {
        "dueAt": row["due_at"],
        "cause": row["cause"],
        "status": row["status"],
        "reason": row.get("reason"),
        # The last try ended the run; those before it were counted when they put it off.
        "attempts": row["attempts"] + (row["status"] in _TRIED),
        "wanted": row.get("wanted"),
        "tasks": _list(row.get("tasks")),
        "failures": _list(row.get("failures")),
        "createdAt": row["created_at"],
        "startedAt": row.get("started_at"),
        "outcome": row.get("outcome"),
    }


def _list(text: str | None) -> list[dict[str, Any]]:
    return json.loads(text) if text else []


def _time(text: str | None) -> datetime | None:
    return to_time(text) if text else None
