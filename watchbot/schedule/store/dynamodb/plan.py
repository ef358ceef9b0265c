"""Enters due runs, and moves each job on to its next fire, in a transaction for each job."""

from dataclasses import replace
from datetime import datetime, timedelta

from watchbot.dynamodb import CONDITION_FAILED, Item, Write, side_by_side
from watchbot.errors import DatabaseDown, DatabaseError
from watchbot.schedule.store.dynamodb.jobs import moved
from watchbot.schedule.store.dynamodb.runs import run_item, unless_there
from watchbot.schedule.store.dynamodb.table import StoreTable, assigned, given, key_of
from watchbot.schedule.store.planner import JobPlan, Planned, plan_job
from watchbot.schedule.store.rows import job_due
from watchbot.schedule.store.run import LedgerEntry

BATCH = 200  # jobs of one pass
MOST_ENTRIES = 99  # the most entries of a transaction, which may have 100 parts
MOST_BYTES = 3_000_000  # of a transaction: DynamoDB's limit is 4 MB

_OVERTAKEN = {CONDITION_FAILED, "TransactionConflict"}


async def plan(table: StoreTable, now: datetime, kept: timedelta) -> Planned:
    """Plans the due jobs, in one pass. A refused job does not hold up the others."""
    refusals: list[DatabaseError] = []

    async def enter(job: Item) -> JobPlan | None:
        try:
            return await _enter(table, job, now, kept)
        except DatabaseError as error:
            if error.transient:
                raise
            refusals.append(error)
            return None

    jobs = await table.waiting("plan", now, BATCH)
    written = [piece for piece in await side_by_side(enter, jobs) if piece]
    if refusals:
        raise refusals[0]
    entries = [entry for piece in written for entry in piece.entries]
    behind = any(piece.next_fire_at and piece.next_fire_at <= now for piece in written)
    return Planned.of(entries, more=len(jobs) == BATCH or behind)


async def _enter(table: StoreTable, job: Item, now: datetime, kept: timedelta) -> JobPlan | None:
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
        puts = [_put(table, entry, now, kept) for entry in new]
        codes = await table.transact([move, *puts])
        if not codes:
            return replace(piece, entries=new)
        if codes[0] in _OVERTAKEN or "TransactionConflict" in codes:
            return None
        left = [
            entry for entry, code in zip(new, codes[1:], strict=True) if code != CONDITION_FAILED
        ]
        if len(left) == len(new):
            raise DatabaseDown(table.shown_url, f"a transaction was refused: {sorted(set(codes))}")
        new = left  # the ledger has the others: the job was deleted and made again


def _put(table: StoreTable, entry: LedgerEntry, now: datetime, kept: timedelta) -> Write:
    condition, values = unless_there(entry)
    return table.to_put(run_item(entry, now, kept), condition, **values)


def _piece(job: Item, now: datetime) -> JobPlan:
    """The part of a job's plan that fits into one transaction."""
    plan = plan_job(job_due(job, job["sk"], job["at"]), now)
    most = min(MOST_ENTRIES, MOST_BYTES // (len(job["fields"].encode()) + 1000))
    if len(plan.entries) <= most:
        return plan
    # A later pass plans the rest, with the same verdicts: those fires are as late then as now.
    return replace(plan, entries=plan.entries[:most], next_fire_at=plan.entries[most].due_at)
