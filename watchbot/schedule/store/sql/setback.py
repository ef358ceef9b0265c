"""Plans again in SQL after a set-back of the database's clock."""

from datetime import datetime, timedelta

from watchbot.moment import to_text, to_time
from watchbot.schedule.store.planner import sooner
from watchbot.schedule.store.rows import job_due
from watchbot.schedule.store.setback import WAKES_WITHIN, set_back
from watchbot.schedule.store.sql.columns import JOB
from watchbot.sql.database import Database, Transaction

_READ = "SELECT seen_at FROM schedule_clock {lock}"
_WRITE = """
INSERT INTO schedule_clock (name, seen_at) VALUES ('store', :now)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at
"""
# A run that waits for its jitter keeps its own time.
_WAKE = """
UPDATE schedule_run SET wake_at = :soon WHERE wake_at > :soon
AND (attempts > 0 OR reason IS NOT NULL OR owner IS NOT NULL)
"""


async def plan_anew(database: Database, now: datetime) -> timedelta | None:
    """Stores the time; returns the clock's set-back since the last one. Raises `DatabaseError`."""
    async with database.transaction() as transaction:
        rows = await transaction.fetch(_READ.format(lock=database.dialect.lock))
        found = set_back(to_time(rows[0]["seen_at"]) if rows else None, now)
        if found:
            await _plan_anew(transaction, now)
        await transaction.execute(_WRITE, now=to_text(now))
    return found


async def _plan_anew(transaction: Transaction, now: datetime) -> None:
    text, soon = to_text(now), to_text(now + WAKES_WITHIN)
    await transaction.execute(
        "UPDATE schedule_job SET created_at = :now WHERE created_at > :now", now=text
    )
    jobs = await transaction.fetch(
        f"SELECT {JOB} FROM schedule_job WHERE next_fire_at > :now", now=text
    )
    for row in jobs:
        next_fire_at = sooner(job_due(row, row["id"], row["next_fire_at"]), now)
        if next_fire_at:
            await transaction.execute(
                "UPDATE schedule_job SET next_fire_at = :at "
                "WHERE id = :id AND generation = :generation",
                at=to_text(next_fire_at),
                id=row["id"],
                generation=row["generation"],
            )
    await transaction.execute(_WAKE, soon=soon)
    await transaction.execute(
        "UPDATE schedule_run SET look_at = :soon WHERE look_at > :soon", soon=soon
    )
