"""Stores runs as rows in SQL: enters them, queries them, notes their outcomes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbot.moment import to_text
from watchbot.schedule.store.rows import run_of_all, run_shown, run_started
from watchbot.schedule.store.run import (
    ILL,
    LOOKED_AT,
    Cancel,
    LedgerEntry,
    Lost,
    RunFilter,
    Started,
)
from watchbot.schedule.store.sql.calling_off import call_off
from watchbot.schedule.store.sql.clock import Now
from watchbot.schedule.store.sql.jobs import count_failure
from watchbot.schedule.store.store import NOTHING
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Dialect
from watchbot.task_outcome import FAILURES, SUCCESS

FORGOTTEN_AT_ONCE = 1000

_INSERTED = {
    "job_id": "text",
    "due_at": "timestamptz",
    "cause": "text",
    "generation": "bigint",
    "job": "text",
    "status": "text",
    "reason": "text",
    "wake_at": "timestamptz",
    "concurrency": "integer",
    "created_at": "timestamptz",
}
_SHOWN = (
    "r.job_id, r.due_at, r.cause, r.status, r.reason, r.attempts, r.wanted, r.tasks, r.failures, "
    "r.created_at, r.started_at, r.outcome, r.ends"
)
# Tasks that nobody has looked at yet run, as far as anybody knows.
_OUTCOME = "coalesce(r.outcome, CASE WHEN r.look_at IS NOT NULL THEN 'active' END)"
_FAILED = f"(r.status IN {ILL} OR r.outcome IN {FAILURES})"
_LAST = f"""
SELECT {_SHOWN} FROM {{jobs}} JOIN schedule_run r ON r.job_id = b.id
WHERE r.due_at = (SELECT max(due_at) FROM schedule_run WHERE job_id = b.id AND status <> 'due')
  AND r.status <> 'due' ORDER BY r.job_id, r.cause
"""
_TAKE = """
WITH free (j, d, c) AS (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE look_at <= :now ORDER BY look_at LIMIT :most {skip_locked})
UPDATE schedule_run SET look_at = :later
FROM free WHERE job_id = j AND due_at = d AND cause = c
RETURNING job_id, due_at, cause, job, status, tasks, started_at
"""
_BACKFILLED = """
SELECT CASE WHEN look_at IS NOT NULL THEN 'active' ELSE status END AS state, count(*) AS count
FROM schedule_run WHERE job_id = :job_id AND cause = 'backfill' GROUP BY 1
"""
# A missed time that comes again after a set-back of the clock is due again.
_AFRESH = (
    "owner = NULL, attempts = 0, wanted = NULL, call = NULL, tasks = '[]', failures = '[]', "
    "started_at = NULL, outcome = NULL, called_off = NULL, ends = NULL"
)
_AGAIN = """
(schedule_run.cause = 'backfill' AND schedule_run.status IN ('skipped', 'failed')
 AND schedule_run.look_at IS NULL)
OR (schedule_run.status = 'missed' AND excluded.status = 'due')
"""
_FORGET = """
DELETE FROM schedule_run WHERE (job_id, due_at, cause) IN (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE created_at < :before AND wake_at IS NULL AND look_at IS NULL LIMIT :most)
"""


class SqlRuns:
    """See `watchbot.schedule.store.store.Runs`."""

    def __init__(self, database: Database, now: Now, kept: timedelta) -> None:
        self._database, self._now, self._kept = database, now, kept

    async def enter(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            return await enter(transaction, self._database.dialect, entries, now)

    async def of_job(
        self, job_id: str, limit: int, before: datetime | None
    ) -> list[dict[str, Any]]:
        bound = "AND due_at < :before" if before else ""
        rows = await self._database.fetch(
            f"SELECT {_SHOWN} FROM schedule_run r WHERE job_id = :job_id {bound} "
            "ORDER BY due_at DESC, cause DESC LIMIT :limit",
            job_id=job_id,
            limit=limit,
            before=to_text(before) if before else None,
        )
        return [run_shown(row) for row in rows]

    async def recent(self, wanted: RunFilter, limit: int) -> list[dict[str, Any]]:
        conditions = {
            "r.due_at >= :since": to_text(wanted.since),
            "r.job_id = :job": wanted.job,
            "r.status = :status": wanted.status,
            f"{_OUTCOME} = :outcome": wanted.outcome,
        }
        chosen = [condition for condition, value in conditions.items() if value is not None]
        values = {c.rpartition(":")[2]: conditions[c] for c in chosen}
        chosen += [_FAILED] if wanted.failed else []
        rows = await self._database.fetch(
            f"SELECT {_SHOWN}, r.job FROM schedule_run r WHERE {' AND '.join(chosen)} "
            "ORDER BY r.due_at DESC, r.job_id, r.cause LIMIT :limit",
            limit=limit,
            **values,
        )
        return [run_of_all(row) for row in rows]

    async def call_off(self, job_id: str, cancel: Cancel) -> int | None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            if cancel.due_at and not await _has(transaction, job_id, cancel.due_at):
                return None
            return await call_off(transaction, job_id, now, cancel)

    async def backfilled(self, job_id: str) -> dict[str, int]:
        rows = await self._database.fetch(_BACKFILLED, job_id=job_id)
        return {row["state"]: row["count"] for row in rows}

    async def last(self, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        source = self._database.dialect.as_table({"id": "text"})
        ids = json.dumps([{"id": job_id} for job_id in job_ids])
        rows = await self._database.fetch(_LAST.format(jobs=source), rows=ids)
        return {row["job_id"]: run_shown(row) for row in rows}

    async def take_started(self, most: int) -> tuple[list[Started], datetime]:
        sql = _TAKE.format(skip_locked=self._database.dialect.lock_free)
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            rows = await transaction.fetch(
                sql, now=to_text(now), later=to_text(now + LOOKED_AT), most=most
            )
        return [run_started(row) for row in rows], now

    async def note_outcome(
        self,
        run: Started,
        outcome: str,
        look_at: datetime | None,
        ends: Mapping[str, Mapping[str, Any]] = NOTHING,
    ) -> None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            # The job's row first, as a delete of the job does, so that no deadlock is possible.
            if outcome in FAILURES:
                told = f"its tasks ended: {outcome}"
                await count_failure(transaction, run.job_id, told, now)
            elif outcome == SUCCESS:
                await transaction.execute(
                    "UPDATE schedule_job SET failures = 0 WHERE id = :id", id=run.job_id
                )
            written = await transaction.execute(
                "UPDATE schedule_run SET outcome = :outcome, look_at = :look_at, ends = :ends "
                "WHERE job_id = :job_id AND due_at = :due_at AND cause = :cause "
                "AND look_at IS NOT NULL",
                outcome=outcome,
                look_at=to_text(look_at) if look_at else None,
                ends=json.dumps(ends) if ends else None,
                job_id=run.job_id,
                due_at=to_text(run.due_at),
                cause=run.cause,
            )
            if not written:
                raise Lost

    async def forget(self) -> int:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            return await transaction.execute(
                _FORGET, before=to_text(now - self._kept), most=FORGOTTEN_AT_ONCE
            )


async def enter(
    transaction: Transaction, dialect: Dialect, entries: Iterable[LedgerEntry], now: datetime
) -> list[LedgerEntry]:
    """Writes entries; returns those that are new."""
    by_key = {(entry.job_id, to_text(entry.due_at), entry.cause): entry for entry in entries}
    if not by_key:
        return []
    rows = [
        {
            **{name: getattr(entry, name) for name in _INSERTED if name != "created_at"},
            "due_at": to_text(entry.due_at),
            "wake_at": to_text(entry.wake_at) if entry.wake_at else None,
            "created_at": to_text(now),
        }
        for entry in by_key.values()
    ]
    names = ", ".join(_INSERTED)
    changed = ", ".join(f"{name} = excluded.{name}" for name in _INSERTED)
    new = await transaction.fetch(
        f"INSERT INTO schedule_run ({names}) SELECT {names} FROM {dialect.as_table(_INSERTED)} "
        f"WHERE TRUE ON CONFLICT (job_id, due_at, cause) DO UPDATE SET {changed}, {_AFRESH} "
        f"WHERE {_AGAIN} RETURNING job_id, due_at, cause",
        rows=json.dumps(rows),
    )
    return [by_key[row["job_id"], row["due_at"], row["cause"]] for row in new]


async def _has(transaction: Transaction, job_id: str, due_at: datetime) -> bool:
    rows = await transaction.fetch(
        "SELECT 1 AS one FROM schedule_run WHERE job_id = :job_id AND due_at = :due_at LIMIT 1",
        job_id=job_id,
        due_at=to_text(due_at),
    )
    return bool(rows)
