"""What may be asked about runs, and the runs that people ask for themselves."""

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from watchbot.schedule.jobs import Now, StoredJob
from watchbot.schedule.ledger import Entry, enter
from watchbot.schedule.run import Cause
from watchbot.sql.database import Database, Row, to_text

MAX_BACKFILL = 1000  # runs that one request may ask for

_INSTANT = timedelta(microseconds=1)  # so that a fire at the start itself is in
_SHOWN = (
    "due_at, cause, status, reason, attempts, wanted, tasks, failures, created_at, started_at, "
    "outcome"
)


def upcoming(stored: StoredJob, after: datetime, count: int) -> list[datetime]:
    """The next fires of a job after then, as if it were not paused."""
    return list(itertools.islice(stored.job.fires(after, stored.created_at), count))


def between(stored: StoredJob, start: datetime, end: datetime) -> list[datetime]:
    """Its fires from `start` to `end`, one more than `MAX_BACKFILL` at most."""

    def found() -> Iterator[datetime]:
        fires = stored.job.fires(start - _INSTANT, stored.created_at)
        return itertools.takewhile(lambda fire: fire <= end, fires)

    return list(itertools.islice(found(), MAX_BACKFILL + 1))


async def runs_of(
    database: Database, job_id: str, limit: int, before: datetime | None
) -> list[dict[str, Any]]:
    """The runs of a job, the newest first."""
    bound = "AND due_at < :before" if before else ""
    rows = await database.fetch(
        f"SELECT {_SHOWN} FROM schedule_run WHERE job_id = :job_id {bound} "
        "ORDER BY due_at DESC, cause LIMIT :limit",
        job_id=job_id,
        limit=limit,
        before=to_text(before) if before else None,
    )
    return [_shown(row) for row in rows]


async def ask_for(
    database: Database, now_of: Now, stored: StoredJob, cause: Cause, fires: list[datetime] | None
) -> list[datetime]:
    """Enters runs that are due at once, for these times, or for now; the times of those that
    are new."""
    async with database.transaction() as transaction:
        now = await now_of(transaction)
        known = await _known(transaction, stored.job.id, cause, fires or [])
        new = [fire for fire in fires if to_text(fire) not in known] if fires else [now]
        entries = [
            Entry(
                job_id=stored.job.id,
                due_at=fire,
                cause=cause,
                generation=stored.generation,
                job=stored.job.stored(),
                status="due",
                wake_at=now,
            )
            for fire in new
        ]
        await enter(transaction, database.dialect, entries, now)
    return new


async def _known(transaction: Any, job_id: str, cause: Cause, fires: list[datetime]) -> set[str]:
    if not fires:
        return set()
    rows = await transaction.fetch(
        "SELECT due_at FROM schedule_run WHERE job_id = :job_id AND cause = :cause "
        "AND due_at BETWEEN :first AND :last",
        job_id=job_id,
        cause=cause,
        first=to_text(fires[0]),
        last=to_text(fires[-1]),
    )
    return {row["due_at"] for row in rows}


def _shown(row: Row) -> dict[str, Any]:
    return {
        "dueAt": row["due_at"],
        "cause": row["cause"],
        "status": row["status"],
        "reason": row["reason"],
        "attempts": row["attempts"],
        "wanted": row["wanted"],
        "tasks": json.loads(row["tasks"]),
        "failures": json.loads(row["failures"]),
        "createdAt": row["created_at"],
        "startedAt": row["started_at"],
        "outcome": row["outcome"],
    }
