"""Calls off the runs of a job in SQL: at once if nothing was begun, else at the next step."""

from datetime import datetime

from watchbot.moment import to_text
from watchbot.schedule.store.run import Cancel
from watchbot.sql.database import Transaction

# A stored call may have been made, unless the row says that it was not.
_NOTHING_STARTED = """
status = 'due' AND tasks = '[]' AND (
  owner IS NULL AND (call IS NULL OR replace(call, '"doubtful": true', '') = call)
  OR owner IS NOT NULL AND wake_at <= :now AND call IS NULL)
"""


async def call_off(transaction: Transaction, job_id: str, now: datetime, cancel: Cancel) -> int:
    """Ends these runs of a job, or marks those that a replica works at; returns their number."""
    values = {"id": job_id, "reason": cancel.reason, "now": to_text(now)}
    only = ""
    if cancel.due_at:
        only += " AND due_at = :due_at"
        values["due_at"] = to_text(cancel.due_at)
    if cancel.cause:
        only += " AND cause = :cause"
        values["cause"] = cancel.cause
    ended = await transaction.execute(
        "UPDATE schedule_run SET status = 'skipped', reason = :reason, owner = NULL, "
        f"wake_at = NULL, call = NULL WHERE job_id = :id AND {_NOTHING_STARTED} {only}",
        **values,
    )
    marked = await transaction.execute(
        "UPDATE schedule_run SET called_off = :reason, "
        "wake_at = CASE WHEN owner IS NULL THEN :now ELSE wake_at END "
        f"WHERE job_id = :id AND status = 'due' {only}",
        **values,
    )
    return ended + marked
