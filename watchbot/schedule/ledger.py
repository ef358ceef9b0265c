"""The ledger: a row for every time that a job was due. Its key keeps two replicas apart.

A run is worked at by whoever has taken it, for as long as that lease is renewed. Every change to
it is made under the name of its owner, so that one who has lost it changes nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from watchbot.schedule.job import read_job
from watchbot.schedule.jobs import Now, seconds_until
from watchbot.schedule.run import ENDS_ILL, Call, Cause, Ending, Run, Status
from watchbot.sql.database import Database, Dialect, Row, Transaction, to_text, to_time
from watchbot.sql.rows import as_table

LEASE = timedelta(seconds=5)  # what a replica that died holds up its runs for
RENEW_S = 1.5
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
    "created_at": "timestamptz",
}
_SKIP_LOCKED: dict[Dialect, str] = {"sqlite": "", "postgres": "FOR UPDATE SKIP LOCKED"}
# A call that its owner was cut off from may have been made; one that was put off was not.
_DOUBTFUL = """replace(call, '"doubtful": false', '"doubtful": true')"""
_TAKE = """
WITH free (j, d, c) AS (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE wake_at <= :now ORDER BY wake_at LIMIT :most {skip_locked})
UPDATE schedule_run SET owner = :owner, wake_at = :until,
  call = CASE WHEN owner IS NULL THEN call ELSE {doubtful} END
FROM free WHERE job_id = j AND due_at = d AND cause = c
RETURNING due_at, cause, generation, job, created_at, attempts, wanted, call, tasks, failures
"""
_FORGET = """
DELETE FROM schedule_run WHERE (job_id, due_at, cause) IN (
  SELECT job_id, due_at, cause FROM schedule_run
  WHERE created_at < :before AND wake_at IS NULL AND look_at IS NULL LIMIT :most)
"""


class Lost(Exception):
    """Somebody else has the run now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row to be: a time at which a job was due."""

    job_id: str
    due_at: datetime
    cause: Cause
    generation: int
    job: str
    status: Status
    reason: str | None = None
    wake_at: datetime | None = None


async def enter(
    transaction: Transaction, dialect: Dialect, entries: Iterable[Entry], now: datetime
) -> int:
    """Writes entries; how many of them are new."""
    rows = [
        {
            **{name: getattr(entry, name) for name in _INSERTED if name != "created_at"},
            "due_at": to_text(entry.due_at),
            "wake_at": to_text(entry.wake_at) if entry.wake_at else None,
            "created_at": to_text(now),
        }
        for entry in entries
    ]
    if not rows:
        return 0
    names = ", ".join(_INSERTED)
    return await transaction.execute(
        f"INSERT INTO schedule_run ({names}) SELECT {names} FROM {as_table(dialect, _INSERTED)} "
        "WHERE TRUE ON CONFLICT DO NOTHING",
        rows=json.dumps(rows),
    )


class Ledger:
    """The runs, as one replica works at them under the name `owner`."""

    def __init__(self, database: Database, now: Now, owner: str) -> None:
        self._database, self._now, self._owner = database, now, owner

    async def take(self, most: int) -> tuple[list[Run], datetime]:
        """Up to so many runs that are due, ours for the time of `LEASE`; and when that was."""
        sql = _TAKE.format(skip_locked=_SKIP_LOCKED[self._database.dialect], doubtful=_DOUBTFUL)
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            rows = await transaction.fetch(
                sql,
                now=to_text(now),
                until=to_text(now + LEASE),
                owner=self._owner,
                most=most,
            )
        return sorted((_run(row) for row in rows), key=lambda run: run.due_at), now

    async def seconds_to_next(self, most: float) -> float:
        """How long there is no run to take; `most` at most."""
        now = await self._now(self._database)
        (row,) = await self._database.fetch(
            "SELECT min(wake_at) AS at FROM schedule_run WHERE wake_at IS NOT NULL"
        )
        return seconds_until(row["at"], now, most)

    async def release(self) -> None:
        """Lets go of all that was taken: others may take it at once."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            await transaction.execute(
                f"UPDATE schedule_run SET owner = NULL, wake_at = :now, call = {_DOUBTFUL} "
                "WHERE owner = :owner",
                now=to_text(now),
                owner=self._owner,
            )

    async def renew(self) -> None:
        """Holds on to all that was taken."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            await transaction.execute(
                "UPDATE schedule_run SET wake_at = :until WHERE owner = :owner",
                until=to_text(now + LEASE),
                owner=self._owner,
            )

    async def waits_before(self, run: Run) -> bool:
        """Whether an earlier run of the same job is not started yet, either."""
        rows = await self._database.fetch(
            "SELECT 1 AS one FROM schedule_run WHERE job_id = :job_id AND status = 'due' "
            "AND due_at < :due_at LIMIT 1",
            job_id=run.job.id,
            due_at=to_text(run.due_at),
        )
        return bool(rows)

    async def note(self, run: Run) -> None:
        """Stores how far the run has come. Raises `Lost`."""
        async with self._database.transaction() as transaction:
            await self._write(
                transaction,
                run,
                wanted=run.wanted,
                call=_to_json(run.call),
                tasks=json.dumps(run.tasks),
                failures=json.dumps(run.failures),
            )

    async def put_off(self, run: Run, seconds: float, reason: str, failed: bool) -> None:
        """Lets go of a run until later; `failed` counts an attempt. Raises `Lost`."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            await self._write(
                transaction,
                run,
                owner=None,
                wake_at=to_text(now + timedelta(seconds=seconds)),
                attempts=run.attempts + failed,
                reason=reason,
            )

    async def finish(self, run: Run, ending: Ending) -> datetime:
        """Ends a run; when that was. Raises `Lost`."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            # The job first: whoever deletes it takes the rows in this order, too.
            await self._tell_job(transaction, run, ending, now)
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
        return now

    async def forget(self, days: float) -> int:
        """Deletes runs that are over and so old, some at a time; how many they were."""
        async with self._database.transaction() as transaction:
            now = await self._now(transaction)
            return await transaction.execute(
                _FORGET, before=to_text(now - timedelta(days=days)), most=FORGOTTEN_AT_ONCE
            )

    async def _tell_job(
        self, transaction: Transaction, run: Run, ending: Ending, now: datetime
    ) -> None:
        if ending.status == "started" or ending.tasks:
            await transaction.execute(
                "UPDATE schedule_job SET last_run_at = :now, last_run_tasks = :tasks, "
                "failures = CASE WHEN :told THEN failures ELSE 0 END "
                "WHERE id = :id AND (last_run_at IS NULL OR last_run_at <= :now)",
                id=run.job.id,
                now=to_text(now),
                tasks=json.dumps(ending.tasks),
                told=bool(ending.tasks),  # of tasks their outcome tells
            )
        if ending.status in ENDS_ILL:
            await count_failure(transaction, run.job.id, f"{ending.status}: {ending.reason}")

    async def _write(self, transaction: Transaction, run: Run, **columns: Any) -> None:
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


async def count_failure(transaction: Transaction, job_id: str, reason: str) -> None:
    """Counts a run that failed; pauses the job when it has had its number of them in a row."""
    rows = await transaction.fetch(
        "UPDATE schedule_job SET failures = failures + 1 WHERE id = :id RETURNING fields, failures",
        id=job_id,
    )
    for row in rows:
        most = read_job(row["fields"]).pause_after_failures
        if most and row["failures"] >= most:
            fields = {**json.loads(row["fields"]), "suspended": True}
            await transaction.execute(
                "UPDATE schedule_job SET generation = generation + 1, fields = :fields, "
                "next_fire_at = NULL, note = :note WHERE id = :id",
                id=job_id,
                fields=json.dumps(fields),
                note=f"paused after {row['failures']} failures; the last: {reason}"[:500],
            )


def _run(row: Row) -> Run:
    call = json.loads(row["call"]) if row["call"] else None
    return Run(
        job=read_job(row["job"]),
        due_at=to_time(row["due_at"]),
        cause=row["cause"],
        generation=row["generation"],
        created_at=to_time(row["created_at"]),
        attempts=row["attempts"],
        wanted=row["wanted"],
        call=Call(**call) if call else None,
        tasks=tuple(json.loads(row["tasks"])),
        failures=tuple(json.loads(row["failures"])),
    )


def _to_json(call: Call | None) -> str | None:
    if call is None:
        return None
    return json.dumps(asdict(call))
