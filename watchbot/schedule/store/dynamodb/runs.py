"""Stores runs as items of the table: enters them, queries them, notes their outcomes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbot.dynamodb import Item, first, side_by_side
from watchbot.moment import to_text
from watchbot.schedule.store.dynamodb.calling_off import call_off
from watchbot.schedule.store.dynamodb.clock import Now
from watchbot.schedule.store.dynamodb.jobs import TableJobs
from watchbot.schedule.store.dynamodb.table import (
    StoreTable,
    assigned,
    expiry,
    given,
    key_of,
    runs_key,
)
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
from watchbot.schedule.store.store import NOTHING
from watchbot.task_outcome import FAILURES, SUCCESS

AT_ONCE = 20  # concurrent writes
PAGE = 100  # runs of one answer
NEWEST = 10  # runs of an answer in a search for one run, because AWS charges for each read


class TableRuns:
    """See `watchbot.schedule.store.store.Runs`.

    Finished runs have an attribute `expires`; DynamoDB itself deletes them after that time.
    """

    def __init__(self, table: StoreTable, jobs: TableJobs, now: Now, kept: timedelta) -> None:
        self._table, self._jobs, self._now, self._kept = table, jobs, now, kept

    async def enter(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        now = await self._now()

        async def put(entry: LedgerEntry) -> bool:
            item = run_item(entry, now, self._kept)
            condition, values = unless_there(entry)
            return await self._table.put(item, condition, **values)

        new = await side_by_side(put, entries, AT_ONCE)
        return [entry for entry, is_new in zip(entries, new, strict=True) if is_new]

    async def of_job(
        self, job_id: str, limit: int, before: datetime | None
    ) -> list[dict[str, Any]]:
        earlier = {"before": to_text(before)} if before else {}
        found = self._table.query(
            "#pk = :pk AND #sk < :before" if earlier else "#pk = :pk",
            ScanIndexForward=False,
            Limit=min(limit, PAGE),
            pk=runs_key(job_id),
            **earlier,
        )
        return [run_shown(item) for item in await first(found, limit)] if limit else []

    async def recent(self, wanted: RunFilter, limit: int) -> list[dict[str, Any]]:
        async def of(job_id: str) -> list[Item]:
            found = self._table.query(
                "#pk = :pk AND #sk >= :since",
                ScanIndexForward=False,
                Limit=min(limit, PAGE),
                pk=runs_key(job_id),
                since=to_text(wanted.since),
            )
            return await first((item async for item in found if _admits(wanted, item)), limit)

        names = [wanted.job] if wanted.job is not None else await self._jobs.names()
        found = await side_by_side(of, names, AT_ONCE)
        runs = [run_of_all(item) for items in found for item in items]
        # Sorted twice, because the two keys have opposite directions.
        runs.sort(key=lambda run: (run["job"], run["cause"]))
        return sorted(runs, key=lambda run: run["dueAt"], reverse=True)[:limit]

    async def call_off(self, job_id: str, cancel: Cancel) -> int | None:
        now = await self._now()
        if cancel.due_at:
            begins = f"{to_text(cancel.due_at)}#"
            found = self._table.query(
                "#pk = :pk AND begins_with(#sk, :begins)", pk=runs_key(job_id), begins=begins
            )
            if not await first(found, 1):
                return None
        return await call_off(self._table, job_id, now, self._kept, cancel)

    async def backfilled(self, job_id: str) -> dict[str, int]:
        states = Counter[str]()
        found = self._table.query(
            "#pk = :pk",
            FilterExpression="#cause = :cause",
            ProjectionExpression="#status, #work",
            pk=runs_key(job_id),
            cause="backfill",
        )
        async for item in found:
            states["active" if item.get("work") == "look" else str(item["status"])] += 1
        return dict(states)

    async def last(self, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        async def last(job_id: str) -> list[Item]:
            found = self._table.query(
                "#pk = :pk",
                ScanIndexForward=False,
                Limit=NEWEST,
                FilterExpression="#status <> :due",
                pk=runs_key(job_id),
                due="due",
            )
            return await first(found, 1)

        found = await side_by_side(last, job_ids)
        return {
            job_id: run_shown(items[0])
            for job_id, items in zip(job_ids, found, strict=True)
            if items
        }

    async def take_started(self, most: int) -> tuple[list[Started], datetime]:
        now = await self._now()

        async def take(item: Item) -> Item | None:
            return await self._table.update(
                key_of(item),
                "SET #at = :later",
                "#work = :look AND #at <= :now",
                look="look",
                now=to_text(now),
                later=to_text(now + LOOKED_AT),
            )

        taken = await side_by_side(take, await self._table.waiting("look", now, most))
        return [run_started(item) for item in taken if item], now

    async def note_outcome(
        self,
        run: Started,
        outcome: str,
        look_at: datetime | None,
        ends: Mapping[str, Mapping[str, Any]] = NOTHING,
    ) -> None:
        over = look_at is None
        attributes = {
            "outcome": outcome,
            "ends": json.dumps(ends) if ends else None,
            "at": to_text(look_at) if look_at else None,
            "work": None if over else "look",
            "expires": expiry(await self._now(), self._kept) if over else None,
        }
        written = await self._table.update(
            run_key(run.job_id, to_text(run.due_at), run.cause),
            assigned(attributes),
            "#work = :looked_at",
            looked_at="look",
            **given(attributes),
        )
        if written is None:
            raise Lost
        # No transaction, because runs of one job that end together would conflict.
        if outcome in FAILURES:
            await self._jobs.count_failure(run.job_id, f"its tasks ended: {outcome}")
        elif outcome == SUCCESS:
            await self._jobs.note(run.job_id, "SET #failures = :none", none=0)

    async def forget(self) -> int:
        return 0


def _admits(wanted: RunFilter, run: Item) -> bool:
    # Tasks that nobody has looked at yet run, as far as anybody knows.
    outcome = run.get("outcome") or ("active" if run.get("work") == "look" else None)
    return (
        wanted.status in {None, run["status"]}
        and wanted.outcome in {None, outcome}
        and (not wanted.failed or run["status"] in ILL or outcome in FAILURES)
    )


def run_key(job_id: str, due_at: str, cause: str) -> dict[str, str]:
    """The key of a run."""
    return {"pk": runs_key(job_id), "sk": f"{due_at}#{cause}"}


def unless_there(entry: LedgerEntry) -> tuple[str, dict[str, str]]:
    """The condition under which an entry is new, and the condition's values.

    A missed time that comes again after a set-back of the clock is due again. A backfill may ask
    again for a run that was skipped or failed.
    """
    new = "attribute_not_exists(#pk)"
    if entry.status != "due":
        return new, {}
    if entry.cause == "backfill":
        again = "(#status IN (:skipped, :failed) AND attribute_not_exists(#work))"
        return f"{new} OR {again}", {"skipped": "skipped", "failed": "failed"}
    return f"{new} OR #status = :missed", {"missed": "missed"}


def run_item(entry: LedgerEntry, now: datetime, kept: timedelta) -> Item:
    """The item for an entry."""
    due_at = to_text(entry.due_at)
    return given(
        {
            **run_key(entry.job_id, due_at, entry.cause),
            "job_id": entry.job_id,
            "due_at": due_at,
            "cause": entry.cause,
            "generation": entry.generation,
            "job": entry.job,
            "status": entry.status,
            "reason": entry.reason,
            "concurrency": entry.concurrency,
            "attempts": 0,
            "created_at": to_text(now),
            "work": "start" if entry.wake_at else None,
            "at": to_text(entry.wake_at) if entry.wake_at else None,
            "expires": None if entry.wake_at else expiry(now, kept),
        }
    )
