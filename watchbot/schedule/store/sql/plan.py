"""Enters due runs in the ledger, and moves each job on to its next fire, in one transaction."""

import json
from datetime import datetime

from watchbot.moment import seconds_until, to_text, to_time
from watchbot.schedule.store.planner import JobPlan, Planned, plan_job
from watchbot.schedule.store.rows import job_due
from watchbot.schedule.store.run import LedgerEntry
from watchbot.schedule.store.sql.clock import Now
from watchbot.schedule.store.sql.columns import JOB
from watchbot.schedule.store.sql.runs import enter
from watchbot.sql.database import Database, Transaction
from watchbot.sql.dialect import Dialect, Row

BATCH = 200  # jobs of one transaction
MOST_ENTRIES = 4000  # about the most fires of one transaction: an outage may miss thousands

_MOVED = {"id": "text", "next_fire_at": "timestamptz", "note": "text"}
_DUE = f"""
SELECT {JOB} FROM schedule_job WHERE next_fire_at <= :now
ORDER BY next_fire_at LIMIT :most {{lock_free}}
"""


async def plan(database: Database, now_of: Now) -> Planned:
    """Plans the due jobs, in one pass. Raises `DatabaseError`."""
    async with database.transaction() as transaction:
        now = await now_of(transaction)
        sql = _DUE.format(lock_free=database.dialect.lock_free)
        rows = await transaction.fetch(sql, now=to_text(now), most=BATCH)
        plans = _plans(rows, now)
        entries = [entry for plan in plans.values() for entry in plan.entries]
        new: list[LedgerEntry] = []
        if plans:
            new = await enter(transaction, database.dialect, entries, now)
            await _move(transaction, database.dialect, plans)
    behind = any(plan.next_fire_at and plan.next_fire_at <= now for plan in plans.values())
    return Planned.of(new, more=len(rows) == BATCH or len(plans) < len(rows) or behind)


async def seconds_to_next(database: Database, now_of: Now, most: float) -> float:
    """Seconds until a job is due; at most `most`."""
    now = await now_of(database)
    (row,) = await database.fetch(
        "SELECT min(next_fire_at) AS at FROM schedule_job WHERE next_fire_at IS NOT NULL"
    )
    return seconds_until(to_time(row["at"]) if row["at"] else None, now, most)


def _plans(rows: list[Row], now: datetime) -> dict[str, JobPlan]:
    plans: dict[str, JobPlan] = {}
    entries = 0
    for row in rows:
        if entries > MOST_ENTRIES:
            break
        plans[row["id"]] = plan = plan_job(job_due(row, row["id"], row["next_fire_at"]), now)
        entries += len(plan.entries)
    return plans


async def _move(transaction: Transaction, dialect: Dialect, plans: dict[str, JobPlan]) -> None:
    moves = [
        {
            "id": job_id,
            "next_fire_at": to_text(plan.next_fire_at) if plan.next_fire_at else None,
            "note": plan.note,
        }
        for job_id, plan in plans.items()
    ]
    await transaction.execute(
        "UPDATE schedule_job SET next_fire_at = b.next_fire_at, note = b.note "
        f"FROM {dialect.as_table(_MOVED)} WHERE b.id = schedule_job.id",
        rows=json.dumps(moves),
    )
