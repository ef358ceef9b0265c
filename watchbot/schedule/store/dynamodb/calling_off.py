"""Calls off the runs of a job in DynamoDB: at once, or at their next step."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta

from watchbot.dynamodb import Item
from watchbot.moment import to_text
from watchbot.schedule.store.dynamodb.table import (
    StoreTable,
    assigned,
    expiry,
    given,
    key_of,
    runs_key,
)
from watchbot.schedule.store.run import Cancel

_DOUBT = '"doubtful": true'
_NOTHING_STARTED = (
    "#status = :due AND (attribute_not_exists(#tasks) OR #tasks = :none) AND ("
    "(attribute_not_exists(#owner) AND "
    "(attribute_not_exists(#call) OR NOT contains(#call, :doubt))) "
    "OR (attribute_exists(#owner) AND #at <= :now AND attribute_not_exists(#call)))"
)


async def call_off(
    table: StoreTable,
    job_id: str,
    now: datetime,
    kept: timedelta,
    cancel: Cancel,
) -> int:
    """Ends these runs of a job, or marks those that a replica works at; returns their number.

    A new run may not be in the index yet. The replica that takes it sees that the job is deleted or
    paused.
    """
    count = 0
    due_at = cancel.due_at
    found = _exact(table, job_id, due_at) if due_at else table.waiting_runs(job_id)
    async with aclosing(found) as runs:
        async for run in runs:
            if cancel.cause and run["cause"] != cancel.cause:
                continue
            ended = await _end(table, run, now, kept, cancel.reason)
            count += ended or await _mark(table, run, now, cancel.reason)
    return count


def _exact(table: StoreTable, job_id: str, due_at: datetime) -> AsyncGenerator[Item]:
    begins = f"{to_text(due_at)}#"
    return table.query(
        "#pk = :pk AND begins_with(#sk, :begins)", pk=runs_key(job_id), begins=begins
    )


async def _end(table: StoreTable, run: Item, now: datetime, kept: timedelta, reason: str) -> bool:
    attributes = {
        "status": "skipped",
        "reason": reason,
        "owner": None,
        "work": None,
        "at": None,
        "call": None,
        "expires": expiry(now, kept),
    }
    ended = await table.update(
        key_of(run),
        assigned(attributes),
        _NOTHING_STARTED,
        due="due",
        none="[]",
        doubt=_DOUBT,
        now=to_text(now),
        **given(attributes),
    )
    return ended is not None


async def _mark(table: StoreTable, run: Item, now: datetime, reason: str) -> bool:
    for text, owned in (
        ("SET #called_off = :reason, #at = :now", "attribute_not_exists(#owner)"),
        ("SET #called_off = :reason", "attribute_exists(#owner)"),
    ):
        values = {"now": to_text(now)} if ":now" in text else {}
        condition = f"#status = :due AND {owned}"
        if await table.update(key_of(run), text, condition, reason=reason, due="due", **values):
            return True
    return False
