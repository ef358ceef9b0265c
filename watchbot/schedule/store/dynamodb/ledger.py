"""Leases runs of the table to one replica, and stores its progress."""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import anyio

from watchbot.aws import retry_pause
from watchbot.dynamodb import CONDITION_FAILED, Item, side_by_side
from watchbot.errors import DatabaseDown
from watchbot.moment import seconds_until, to_text, to_time
from watchbot.schedule.store.dynamodb.calling_off import call_off
from watchbot.schedule.store.dynamodb.claims import claim, to_decide, unclaim
from watchbot.schedule.store.dynamodb.clock import Now
from watchbot.schedule.store.dynamodb.jobs import TableJobs, job_key
from watchbot.schedule.store.dynamodb.runs import AT_ONCE, run_key
from watchbot.schedule.store.dynamodb.table import (
    TRIES,
    StoreTable,
    assigned,
    expiry,
    given,
    key_of,
)
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

_GOES_ON = "#owner = :me AND attribute_not_exists(#called_off)"
SPARE = 4  # reads this many times more runs than it takes, because other replicas take some


class TableLedger:
    """See `watchbot.schedule.store.store.Ledger`."""

    def __init__(
        self, table: StoreTable, jobs: TableJobs, now: Now, kept: timedelta, owner: str
    ) -> None:
        self._table, self._jobs, self._now = table, jobs, now
        self._kept, self._owner = kept, owner

    async def take(self, most: int) -> tuple[list[LeasedRun], datetime]:
        now = await self._now()

        async def take(item: Item) -> LeasedRun | None:
            return await self._take(item, now)

        waiting = await self._table.waiting("start", now, most * SPARE)
        random.shuffle(waiting)
        runs: list[LeasedRun] = []
        while waiting and len(runs) < most:
            missing = most - len(runs)
            tried, waiting = waiting[:missing], waiting[missing:]
            runs += [run for run in await side_by_side(take, tried, AT_ONCE) if run]
        return sorted(runs, key=lambda run: run.order), now

    async def seconds_to_next(self, most: float) -> float:
        at = await self._table.next("start")
        return seconds_until(to_time(at) if at else None, await self._now(), most)

    async def renew(self, runs: Sequence[LeasedRun]) -> None:
        await self._end_leases(runs, LEASE)

    async def release(self, runs: Sequence[LeasedRun]) -> None:
        await self._end_leases(runs, timedelta())

    async def claim(self, run: LeasedRun) -> Sequence[Other] | None:
        return await claim(self._table, run, self._owner, await self._now())

    async def end_others(self, run: LeasedRun, others: Sequence[Other], reason: str) -> None:
        now = await self._now()
        for other in others:
            cancel = Cancel(reason=reason, due_at=other.due_at, cause=other.cause)
            await call_off(self._table, run.job.id, now, self._kept, cancel)

    async def note(self, run: LeasedRun, decided: Sequence[Other] | None = None) -> None:
        attributes = {
            "generation": run.generation,
            "job": run.job.stored(),
            "wanted": run.wanted,
            "call": run.call.stored() if run.call else None,
            "tasks": json.dumps(run.tasks),
            "failures": json.dumps(run.failures),
        }
        if decided is None:
            await self._write_unless_called_off(run, **attributes)
        else:
            await self._decide(run, decided, attributes)

    async def put_off(self, run: LeasedRun, seconds: float, reason: str, failed: bool) -> None:
        await self._write_unless_called_off(
            run,
            owner=None,
            at=to_text(await self._now() + timedelta(seconds=seconds)),
            attempts=run.attempts + failed,
            reason=reason,
            # `take` has found out some facts that only the run object has.
            call=run.call.stored() if run.call else None,
        )
        await self._unclaim(run)

    async def finish(self, run: LeasedRun, ending: RunEnd) -> datetime:
        now = await self._now()
        began = ending.status == "started" or bool(ending.tasks)
        await self._write(
            run,
            status=ending.status,
            reason=ending.reason,
            owner=None,
            call=None,
            tasks=json.dumps(ending.tasks),
            failures=json.dumps(run.failures),
            started_at=to_text(now) if began else None,
            work="look" if ending.tasks else None,
            at=to_text(now) if ending.tasks else None,
            expires=None if ending.tasks else expiry(now, self._kept),
        )
        await self._unclaim(run)
        # No transaction, because runs of one job that end together would conflict.
        if began:
            await self._note_start(run, ending, now)
        if ending.status in ENDS_ILL:
            await self._jobs.count_failure(run.job.id, f"{ending.status}: {ending.reason}")
        return now

    async def _unclaim(self, run: LeasedRun) -> None:
        if run.takes_turns:
            await unclaim(self._table, run, self._owner)

    async def _take(self, item: Item, now: datetime) -> LeasedRun | None:
        """Takes a run that the index lists as due; None if it is not due, or another took it."""
        before = await self._table.replace(
            key_of(item),
            "SET #owner = :owner, #at = :until",
            "#work = :start AND #at <= :now",
            owner=self._owner,
            until=to_text(now + LEASE),
            start="start",
            now=to_text(now),
        )
        if before is None:
            return None
        job = await self._table.get(**job_key(before["job_id"]))
        # A call of a run with an owner may have been made; the call of a run put off was not.
        return run_to_start(before, job or None, doubtful="owner" in before)

    async def _end_leases(self, runs: Sequence[LeasedRun], after: timedelta) -> None:
        until = to_text(await self._now() + after)

        async def end_lease(run: LeasedRun) -> None:
            await self._table.update(
                run_key(*run.key),
                "SET #at = :until",
                "#owner = :me",
                until=until,
                me=self._owner,
            )

        await side_by_side(end_lease, runs, AT_ONCE)

    async def _note_start(self, run: LeasedRun, ending: RunEnd, now: datetime) -> None:
        attributes = {
            "last_run_at": to_text(now),
            "last_run_tasks": json.dumps(ending.tasks),
            **({} if ending.tasks else {"failures": 0}),  # with tasks, their outcome counts
        }
        await self._jobs.note(
            run.job.id,
            assigned(attributes),
            unless="#last_run_at > :last_run_at",
            **attributes,
        )

    async def _decide(
        self, run: LeasedRun, decided: Sequence[Other], attributes: Mapping[str, Any]
    ) -> None:
        """Stores a decision in one transaction with a check of its claim."""
        to_run = self._table.to_update(
            run_key(*run.key),
            assigned(attributes),
            _GOES_ON,
            me=self._owner,
            **given(attributes),
        )
        writes = [to_run, to_decide(self._table, run, self._owner, decided)]
        for failures in range(1, TRIES + 1):
            codes = await self._table.transact(writes)
            if not codes:
                return
            if codes[0] == CONDITION_FAILED:
                raise await self._why_refused(run)
            if codes[1] == CONDITION_FAILED:
                raise Lost
            await anyio.sleep(retry_pause(failures))  # conflicts with a renewal of the lease
        raise DatabaseDown(
            self._table.shown_url, f"a transaction was refused: {sorted(set(codes))}"
        )

    async def _write_unless_called_off(self, run: LeasedRun, **attributes: Any) -> None:
        if not await self._updated(run, _GOES_ON, attributes):
            raise await self._why_refused(run)

    async def _why_refused(self, run: LeasedRun) -> Exception:
        item = await self._table.get(**run_key(*run.key))
        if item.get("owner") == self._owner and "called_off" in item:
            return CalledOff(item["called_off"])
        return Lost()

    async def _write(self, run: LeasedRun, **attributes: Any) -> None:
        if not await self._updated(run, "#owner = :me", attributes):
            raise Lost

    async def _updated(self, run: LeasedRun, condition: str, attributes: Mapping[str, Any]) -> bool:
        written = await self._table.update(
            run_key(*run.key),
            assigned(attributes),
            condition,
            me=self._owner,
            **given(attributes),
        )
        return written is not None
