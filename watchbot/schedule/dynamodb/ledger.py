"""The runs in the table, as one replica works at them."""

import json
import random
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from watchbot.dynamodb import Item, side_by_side
from watchbot.moment import to_text, to_time
from watchbot.schedule.dynamodb.clock import Now
from watchbot.schedule.dynamodb.jobs import TableJobs
from watchbot.schedule.dynamodb.runs import AT_ONCE, run_key
from watchbot.schedule.dynamodb.table import StoreTable, assigned, expiry, given, key_of
from watchbot.schedule.rows import run_to_start
from watchbot.schedule.run import ENDS_ILL, LEASE, Ending, Lost, Run
from watchbot.schedule.store import seconds_until

SPARE = 4  # times as many are looked at as are taken: other replicas take the same at once


class TableLedger:
    """See `watchbot.schedule.store.Ledger`."""

    def __init__(
        self, table: StoreTable, jobs: TableJobs, now: Now, kept: timedelta, owner: str
    ) -> None:
        self._table, self._jobs, self._now = table, jobs, now
        self._kept, self._owner = kept, owner

    async def take(self, most: int) -> tuple[list[Run], datetime]:
        now = await self._now()

        async def take(item: Item) -> Run | None:
            return await self._take(item, now)

        waiting = await self._table.waiting("start", now, most * SPARE)
        random.shuffle(waiting)
        runs: list[Run] = []
        while waiting and len(runs) < most:
            missing = most - len(runs)
            tried, waiting = waiting[:missing], waiting[missing:]
            runs += [run for run in await side_by_side(take, tried, AT_ONCE) if run]
        return sorted(runs, key=lambda run: run.due_at), now

    async def seconds_to_next(self, most: float) -> float:
        at = await self._table.next("start")
        return seconds_until(to_time(at) if at else None, await self._now(), most)

    async def renew(self, runs: Sequence[Run]) -> None:
        await self._end_leases(runs, LEASE)

    async def release(self, runs: Sequence[Run]) -> None:
        await self._end_leases(runs, timedelta())

    async def waits_before(self, run: Run) -> bool:
        async with aclosing(self._table.waiting_runs(run.job.id)) as waiting:
            async for item in waiting:
                if to_time(item["due_at"]) < run.due_at and await self._still_waits(item):
                    return True
        return False

    async def note(self, run: Run) -> None:
        await self._write(
            run,
            wanted=run.wanted,
            call=run.call.stored() if run.call else None,
            tasks=json.dumps(run.tasks),
            failures=json.dumps(run.failures),
        )

    async def put_off(self, run: Run, seconds: float, reason: str, failed: bool) -> None:
        await self._write(
            run,
            owner=None,
            at=to_text(await self._now() + timedelta(seconds=seconds)),
            attempts=run.attempts + failed,
            reason=reason,
            # What was found out about it on taking it is in the run alone.
            call=run.call.stored() if run.call else None,
        )

    async def finish(self, run: Run, ending: Ending) -> datetime:
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
        # Not in one transaction: runs of one job that end together would be in each other's way.
        if began:
            await self._tell_of_start(run, ending, now)
        if ending.status in ENDS_ILL:
            await self._jobs.count_failure(run.job.id, f"{ending.status}: {ending.reason}")
        return now

    async def _take(self, item: Item, now: datetime) -> Run | None:
        """One that the index says is due; None when it is not, or another has it."""
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
        run = run_to_start(before)
        # A call that its owner was cut off from may have been made; one that was put off was not.
        if run.call and "owner" in before:
            return replace(run, call=replace(run.call, doubtful=True))
        return run

    async def _still_waits(self, item: Item) -> bool:
        """Whether one that the index shows has not started in the meantime."""
        return (await self._table.get(**key_of(item))).get("status") == "due"

    async def _end_leases(self, runs: Sequence[Run], after: timedelta) -> None:
        until = to_text(await self._now() + after)

        async def end_lease(run: Run) -> None:
            await self._table.update(
                run_key(*run.key),
                "SET #at = :until",
                "#owner = :me",
                until=until,
                me=self._owner,
            )

        await side_by_side(end_lease, runs, AT_ONCE)

    async def _tell_of_start(self, run: Run, ending: Ending, now: datetime) -> None:
        attributes = {
            "last_run_at": to_text(now),
            "last_run_tasks": json.dumps(ending.tasks),
            **({} if ending.tasks else {"failures": 0}),  # of tasks their outcome tells
        }
        await self._jobs.tell(
            run.job.id,
            assigned(attributes),
            unless="#last_run_at > :last_run_at",
            **attributes,
        )

    async def _write(self, run: Run, **attributes: Any) -> None:
        written = await self._table.update(
            run_key(*run.key),
            assigned(attributes),
            "#owner = :me",
            me=self._owner,
            **given(attributes),
        )
        if written is None:
            raise Lost
