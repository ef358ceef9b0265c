"""Leases runs in SQL to one replica, and stores its progress."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbot.moment import seconds_until, to_text, to_time
from watchbot.schedule.store.rows import run_to_start
from watchbot.schedule.store.run import (
    ENDS_ILL,
    LEASE,
    CalledOff,
    Cancel,
    LeasedRun,
    Lost,
    Other,
    RunEnd,
)
from watchbot.schedule.store.sql.calling_off import call_off
from watchbot.schedule.store.sql.claims import claim, still_claimed, unclaim
from watchbot.schedule.store.sql.clock import Now
from watchbot.schedule.store.sql.columns import JOB_OF_J
from watchbot.schedule.store.sql.jobs import count_failure
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Row

_KEY = {"job_id": "text", "due_at": "timestamptz", "cause": "text"}

# A call of a run with an owner may have been made; the call of a run put off was not.
_TAKE = """
WITH free (j, d, c, doubtful) AS (
  SELECT job_id, due_at, cause, owner IS NOT NULL FROM schedule_run
  WHERE wake_at <= :now ORDER BY wake_at LIMIT :most {skip_locked})
UPDATE schedule_run SET owner = :owner, wake_at = :until, call = CASE WHEN doubtful
  THEN replace(call, '"doubtful": false', '"doubtful": true') ELSE call END
FROM free WHERE job_id = j AND due_at = d AND cause = c
RETURNING job_id, due_at, cause, generation, job, created_at,
  attempts, wanted, call, tasks, failures, concurrency, called_off
"""
_JOBS = f"SELECT {JOB_OF_J} FROM schedule_job j JOIN {{ids}} ON j.id = b.id"


class SqlLedger:
    """See `watchbot.schedule.store.store.Ledger`."""

    def __init__(self, database: Database, now: Now, owner: str) -> None:
        self._database, self._now, self._owner = database, now, owner

    async def take(self, most: int) -> tuple[list[LeasedRun], datetime]:
        sql = _TAKE.format(skip_locked=self._database.dialect.lock_free)
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            rows = await transaction.fetch(
                sql,
                now=to_text(now),
                until=to_text(now + LEASE),
                owner=self._owner,
                most=most,
            )
            jobs = await self._jobs_of(transaction, rows)
        runs = [run_to_start(row, jobs.get(row["job_id"])) for row in rows]
        return sorted(runs, key=lambda run: run.order), now

    async def seconds_to_next(self, most: float) -> float:
        now = await self._now(self._database)
        (row,) = await self._database.fetch(
            "SELECT min(wake_at) AS at FROM schedule_run WHERE wake_at IS NOT NULL"
        )
        return seconds_until(to_time(row["at"]) if row["at"] else None, now, most)

    async def renew(self, runs: Sequence[LeasedRun]) -> None:
        await self._end_leases(runs, LEASE)

    async def release(self, runs: Sequence[LeasedRun]) -> None:
        await self._end_leases(runs, timedelta())

    async def claim(self, run: LeasedRun) -> Sequence[Other] | None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            return await claim(transaction, self._database.dialect, run, self._owner, now)

    async def end_others(self, run: LeasedRun, others: Sequence[Other], reason: str) -> None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            for other in others:
                cancel = Cancel(reason=reason, due_at=other.due_at, cause=other.cause)
                await call_off(transaction, run.job.id, now, cancel)

    async def note(self, run: LeasedRun, decided: Sequence[Other] | None = None) -> None:
        async with self._database.transaction() as transaction:
            if decided is not None:
                await still_claimed(transaction, run, self._owner)
            await self._write_unless_called_off(
                transaction,
                run,
                generation=run.generation,
                job=run.job.stored(),
                wanted=run.wanted,
                call=run.call.stored() if run.call else None,
                tasks=json.dumps(run.tasks),
                failures=json.dumps(run.failures),
            )

    async def put_off(self, run: LeasedRun, seconds: float, reason: str, failed: bool) -> None:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            await self._write_unless_called_off(
                transaction,
                run,
                owner=None,
                wake_at=to_text(now + timedelta(seconds=seconds)),
                attempts=run.attempts + failed,
                reason=reason,
            )
            await unclaim(transaction, run, self._owner)

    async def finish(self, run: LeasedRun, ending: RunEnd) -> datetime:
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            # The job's row first, as a delete of the job does, so that no deadlock is possible.
            await self._note_in_job(transaction, run, ending, now)
            began = ending.status == "started" or ending.tasks
            await self._write(
                transaction,
                run,
                status=ending.status,
                reason=ending.reason,
                owner=None,
                wake_at=None,
                call=None,
                tasks=json.dumps(ending.tasks),
                failures=json.dumps(run.failures),
                started_at=to_text(now) if began else None,
                look_at=to_text(now) if ending.tasks else None,
            )
            await unclaim(transaction, run, self._owner)
        return now

    async def _end_leases(self, runs: Sequence[LeasedRun], after: timedelta) -> None:
        keys = [dict(zip(_KEY, run.key, strict=True)) for run in runs]
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            await transaction.execute(
                f"UPDATE schedule_run AS r SET wake_at = :until "
                f"FROM {self._database.dialect.as_table(_KEY)} WHERE r.owner = :owner "
                "AND r.job_id = b.job_id AND r.due_at = b.due_at AND r.cause = b.cause",
                until=to_text(now + after),
                owner=self._owner,
                rows=json.dumps(keys),
            )

    async def _note_in_job(
        self, transaction: Transaction, run: LeasedRun, ending: RunEnd, now: datetime
    ) -> None:
        if ending.status == "started" or ending.tasks:
            await transaction.execute(
                "UPDATE schedule_job SET last_run_at = :now, last_run_tasks = :tasks, "
                "failures = CASE WHEN :told THEN failures ELSE 0 END "
                "WHERE id = :id AND (last_run_at IS NULL OR last_run_at <= :now)",
                id=run.job.id,
                now=to_text(now),
                tasks=json.dumps(ending.tasks),
                told=bool(ending.tasks),  # with tasks, their outcome counts
            )
        if ending.status in ENDS_ILL:
            reason = f"{ending.status}: {ending.reason}"
            await count_failure(transaction, run.job.id, reason, now)

    async def _jobs_of(self, transaction: Transaction, rows: Sequence[Row]) -> dict[str, Row]:
        """The current rows of these runs' jobs."""
        ids = [{"id": job_id} for job_id in sorted({row["job_id"] for row in rows})]
        if not ids:
            return {}
        source = self._database.dialect.as_table({"id": "text"})
        found = await transaction.fetch(_JOBS.format(ids=source), rows=json.dumps(ids))
        return {row["id"]: row for row in found}

    async def _write_unless_called_off(
        self, transaction: Transaction, run: LeasedRun, **columns: Any
    ) -> None:
        key = dict(zip(_KEY, run.key, strict=True))
        rows = await transaction.fetch(
            "SELECT called_off FROM schedule_run WHERE job_id = :job_id AND due_at = :due_at "
            f"AND cause = :cause AND owner = :me {self._database.dialect.lock}",
            **key,
            me=self._owner,
        )
        if rows and rows[0]["called_off"]:
            raise CalledOff(rows[0]["called_off"])
        await self._write(transaction, run, **columns)

    async def _write(self, transaction: Transaction, run: LeasedRun, **columns: Any) -> None:
        job_id, due_at, cause = run.key
        assigned = ", ".join(f"{name} = :{name}" for name in columns)
        written = await transaction.execute(
            f"UPDATE schedule_run SET {assigned} WHERE job_id = :job_id AND due_at = :due_at "
            "AND cause = :cause AND owner = :me",
            **columns,
            job_id=job_id,
            due_at=due_at,
            cause=cause,
            me=self._owner,
        )
        if not written:
            raise Lost
