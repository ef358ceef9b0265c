"""Writes what is due into the ledger, and moves each job on to its next fire: one transaction."""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from watchbot.schedule.job import Job, read_job
from watchbot.schedule.jobs import Now, seconds_until
from watchbot.schedule.ledger import Entry, enter
from watchbot.schedule.misfire import Fire, step
from watchbot.sql.database import Database, Dialect, Row, Transaction, to_text, to_time
from watchbot.sql.rows import as_table

BATCH = 200  # jobs of one transaction
MOST_ENTRIES = 4000  # and fires, about: after an outage a job may have missed thousands

_MOVED = {"id": "text", "next_fire_at": "timestamptz", "note": "text"}
_DUE: dict[Dialect, str] = {
    "sqlite": "SELECT * FROM schedule_job WHERE next_fire_at <= :now "
    "ORDER BY next_fire_at LIMIT :most",
    "postgres": "SELECT * FROM schedule_job WHERE next_fire_at <= :now "
    "ORDER BY next_fire_at LIMIT :most FOR UPDATE SKIP LOCKED",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one pass wrote. `more`: there may be others that are due already."""

    due: int = 0
    missed: int = 0
    more: bool = False


async def plan(database: Database, now_of: Now) -> Planned:
    """One pass over the jobs that are due. Raises `DatabaseError`."""
    async with database.transaction() as transaction:
        now = await now_of(transaction)
        rows = await transaction.fetch(_DUE[database.dialect], now=to_text(now), most=BATCH)
        entries: list[Entry] = []
        moves: list[dict[str, str | None]] = []
        for row in rows:
            if len(entries) > MOST_ENTRIES:
                break
            try:
                made, next_fire_at = _plan_job(row, now)
            except ValidationError as invalid:
                # One that an older program accepted keeps no other from running.
                moves.append(_parked(row["id"], invalid))
                continue
            entries += made
            moves.append(_moved(row, next_fire_at))
        if rows:
            await enter(transaction, database.dialect, entries, now)
            await _move(transaction, database.dialect, moves)
    behind = any(move["next_fire_at"] and move["next_fire_at"] <= to_text(now) for move in moves)
    due = sum(entry.status == "due" for entry in entries)
    more = len(rows) == BATCH or len(moves) < len(rows) or behind
    return Planned(due=due, missed=len(entries) - due, more=more)


async def seconds_to_next(database: Database, now_of: Now, most: float) -> float:
    """How long no job is due; `most` at most."""
    now = await now_of(database)
    (row,) = await database.fetch(
        "SELECT min(next_fire_at) AS at FROM schedule_job WHERE next_fire_at IS NOT NULL"
    )
    return seconds_until(row["at"], now, most)


def _plan_job(row: Row, now: datetime) -> tuple[list[Entry], datetime | None]:
    job = read_job(row["fields"])
    found = step(job, to_time(row["created_at"]), to_time(row["next_fire_at"]), now)
    entries = [_entry(job, row, fire) for fire in found.fires]
    return entries, found.next_fire_at


def _entry(job: Job, row: Row, fire: Fire) -> Entry:
    due = fire.verdict == "due"
    return Entry(
        job_id=job.id,
        due_at=fire.due_at,
        cause="schedule",
        generation=row["generation"],
        job=row["fields"] if due else "{}",  # nobody will start it
        status=fire.verdict,
        reason=fire.reason,
        wake_at=fire.due_at + _jitter(job, fire.due_at) if due else None,
    )


def _jitter(job: Job, due_at: datetime) -> timedelta:
    """The same for the same run, whoever asks."""
    if not job.jitter:
        return timedelta()
    seed = hashlib.sha256(f"{job.id}|{to_text(due_at)}".encode()).digest()
    share = int.from_bytes(seed[:8]) / 2**64
    return timedelta(seconds=share * job.jitter)


def _moved(row: Row, next_fire_at: datetime | None) -> dict[str, str | None]:
    text = to_text(next_fire_at) if next_fire_at else None
    return {"id": row["id"], "next_fire_at": text, "note": row["note"]}


def _parked(job_id: str, invalid: ValidationError) -> dict[str, str | None]:
    problem = invalid.errors(include_url=False, include_input=False)[0]
    note = f"not run: its field {problem['loc']} is wrong: {problem['msg']}"
    log.error("job cannot be read", extra={"job": job_id, "reason": note})
    return {"id": job_id, "next_fire_at": None, "note": note}


async def _move(
    transaction: Transaction, dialect: Dialect, moves: Iterable[dict[str, str | None]]
) -> None:
    await transaction.execute(
        "UPDATE schedule_job SET next_fire_at = b.next_fire_at, note = b.note "
        f"FROM {as_table(dialect, _MOVED)} WHERE b.id = schedule_job.id",
        rows=json.dumps(list(moves)),
    )
