"""Keeps the claim of a job in SQL: the run decided last, and the job's other open runs."""

from datetime import datetime

from watchbot.moment import to_text
from watchbot.schedule.store.rows import other_run
from watchbot.schedule.store.run import LeasedRun, Lost, Other
from watchbot.schedule.store.sql.columns import CLAIM
from watchbot.sql.database import Transaction
from watchbot.sql.dialect import Dialect

_NAMED = "job_id = :job_id AND due_at = :due_at AND cause = :cause"
_MINE = f"{_NAMED} AND owner = :me"
_OPEN = """
SELECT due_at, cause, status, reason, attempts, wanted, call, tasks, job, owner, wake_at, started_at
FROM schedule_run WHERE job_id = :job_id AND NOT (due_at = :due_at AND cause = :cause)
AND (wake_at IS NOT NULL OR look_at IS NOT NULL)
"""


async def claim(
    transaction: Transaction, dialect: Dialect, run: LeasedRun, me: str, now: datetime
) -> list[Other] | None:
    """Claims the job for a run; returns its other open runs, or None while another run has it."""
    key = _key(run)
    # Reads after locking the row, so that it sees all writes of the claim's last holder.
    await transaction.execute(
        "INSERT INTO schedule_claim (job_id, due_at, cause, owner) "
        "VALUES (:job_id, :due_at, :cause, :me) ON CONFLICT DO NOTHING",
        **key,
        me=me,
    )
    (held,) = await transaction.fetch(
        f"SELECT {CLAIM} FROM schedule_claim WHERE job_id = :job_id {dialect.lock}",
        job_id=run.job.id,
    )
    busy = await transaction.fetch(
        f"SELECT 1 AS one FROM schedule_run WHERE {_NAMED} AND owner = :owner AND wake_at > :now",
        **{name: held[name] for name in ("job_id", "due_at", "cause", "owner")},
        now=to_text(now),
    )
    mine = (held["due_at"], held["cause"], held["owner"]) == (key["due_at"], key["cause"], me)
    if busy and not mine:
        return None
    await transaction.execute(
        "UPDATE schedule_claim SET due_at = :due_at, cause = :cause, owner = :me "
        "WHERE job_id = :job_id",
        **key,
        me=me,
    )
    return [other_run(row, now) for row in await transaction.fetch(_OPEN, **key)]


async def still_claimed(transaction: Transaction, run: LeasedRun, me: str) -> None:
    """Locks the claim until the end of the transaction. Raises `Lost` if another run has it."""
    held = await transaction.execute(
        f"UPDATE schedule_claim SET owner = :me WHERE {_MINE}", **_key(run), me=me
    )
    if not held:
        raise Lost


async def unclaim(transaction: Transaction, run: LeasedRun, me: str) -> None:
    """Gives the claim back, if this replica still has it."""
    await transaction.execute(f"DELETE FROM schedule_claim WHERE {_MINE}", **_key(run), me=me)


def _key(run: LeasedRun) -> dict[str, str]:
    job_id, due_at, cause = run.key
    return {"job_id": job_id, "due_at": due_at, "cause": cause}
