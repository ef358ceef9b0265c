"""Enters what is due, and moves each job on to its next fire: one transaction for each job."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchbot.dynamodb import CONDITION_FAILED, Item, side_by_side
from watchbot.errors import DatabaseDown
from watchbot.schedule.dynamodb.jobs import moved
from watchbot.schedule.dynamodb.runs import run_item
from watchbot.schedule.dynamodb.table import StoreTable, assigned, given, key_of
from watchbot.schedule.planner import Due, Planned, plan_job
from watchbot.schedule.run import Entry
from watchbot.sql.database import to_time

BATCH = 200  # jobs of one pass
MOST_ENTRIES = 99  # of a transaction, which may have 100 parts
MOST_BYTES = 3_000_000  # likewise: DynamoDB takes 4 MB

_OVERTAKEN = {CONDITION_FAILED, "TransactionConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What one transaction writes: so many entries, and when the job fires after them."""

    entries: list[Entry]
    next_fire_at: datetime | None
    note: str | None


async def plan(table: StoreTable, now: datetime, kept: timedelta) -> Planned:
    """One pass over the jobs that are due."""

    async def enter(job: Item) -> _Piece | None:
        return await _enter(table, job, now, kept)

    jobs = await table.waiting("plan", now, BATCH)
    written = [piece for piece in await side_by_side(enter, jobs) if piece]
    entries = [entry for piece in written for entry in piece.entries]
    behind = any(piece.next_fire_at and piece.next_fire_at <= now for piece in written)
    return Planned.of(entries, more=len(jobs) == BATCH or behind)


async def _enter(table: StoreTable, job: Item, now: datetime, kept: timedelta) -> _Piece | None:
    """Writes some of a job's fires; None when another replica was faster, or the job changed."""
    piece = _piece(job, now)
    attributes = {**moved(piece.next_fire_at), "note": piece.note}
    move = table.to_update(
        key_of(job),
        assigned(attributes),
        "#at = :due AND #generation = :read",
        due=job["at"],
        read=job["generation"],
        **given(attributes),
    )
    new = piece.entries
    while True:
        puts = [
            table.to_put(run_item(entry, now, kept), "attribute_not_exists(#pk)") for entry in new
        ]
        codes = await table.transact([move, *puts])
        if not codes:
            return piece
        if codes[0] in _OVERTAKEN or "TransactionConflict" in codes:
            return None
        left = [
            entry for entry, code in zip(new, codes[1:], strict=True) if code != CONDITION_FAILED
        ]
        if len(left) == len(new):
            raise DatabaseDown(table.place, f"a transaction was refused: {sorted(set(codes))}")
        new = left  # the others are in the ledger: the job was deleted, and made again


def _piece(job: Item, now: datetime) -> _Piece:
    due = Due(
        id=job["sk"],
        fields=job["fields"],
        generation=job["generation"],
        created_at=to_time(job["created_at"]),
        next_fire_at=to_time(job["at"]),
        note=job.get("note"),
    )
    plan = plan_job(due, now)
    most = min(MOST_ENTRIES, MOST_BYTES // (len(due.fields.encode()) + 1000))
    if len(plan.entries) <= most:
        return _Piece(entries=plan.entries, next_fire_at=plan.next_fire_at, note=plan.note)
    # What comes after these is judged anew, and no other way: it is as late then as it is now.
    return _Piece(
        entries=plan.entries[:most], next_fire_at=plan.entries[most].due_at, note=plan.note
    )
