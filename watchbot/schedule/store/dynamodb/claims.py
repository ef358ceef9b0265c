"""Keeps the claim of a job in DynamoDB: the run decided last, and the runs begun at that time.

The claim is an item of its own. It names the runs that had begun at the last decision, because the
index lags and may miss a run. Reads of the named runs are consistent.
"""

import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

from watchbot.dynamodb import Item, Write, side_by_side
from watchbot.moment import to_time
from watchbot.schedule.store.dynamodb.runs import AT_ONCE, run_key
from watchbot.schedule.store.dynamodb.table import StoreTable, claim_key, key_of
from watchbot.schedule.store.rows import other_run
from watchbot.schedule.store.run import LeasedRun, Other

NOBODY = "-"
READ_AHEAD = 20  # the most earlier runs that are read again from the table


async def claim(table: StoreTable, run: LeasedRun, me: str, now: datetime) -> list[Other] | None:
    """Claims the job for a run; returns its other open runs, or None while another run has it."""
    key, mine = claim_key(run.job.id), _name(run.key[1], run.cause)
    seen = await table.get(**key)
    if seen and (seen["owner"], seen["run"]) != (me, mine) and await _held(table, run, seen, now):
        return None
    same = "#owner = :seen_owner AND #run = :seen_run" if seen else "attribute_not_exists(#pk)"
    before = {"seen_owner": seen["owner"], "seen_run": seen["run"]} if seen else {}
    written = await table.update(
        key, "SET #owner = :me, #run = :mine", same, me=me, mine=mine, **before
    )
    return None if written is None else await _others(table, run, written, now)


def to_decide(table: StoreTable, run: LeasedRun, me: str, others: Sequence[Other]) -> Write:
    """The part of a transaction that checks the claim, and adds this run to the begun ones."""
    begun = [_name(*other.key) for other in others if other.begun]
    mine = _name(run.key[1], run.cause)
    return table.to_update(
        claim_key(run.job.id),
        "SET #begun = :begun",
        "#owner = :me AND #run = :mine",
        begun=json.dumps([*begun, mine]),
        me=me,
        mine=mine,
    )


async def unclaim(table: StoreTable, run: LeasedRun, me: str) -> None:
    """Gives the claim back, if this replica still has it."""
    await table.update(
        claim_key(run.job.id),
        "SET #owner = :nobody",
        "#owner = :me AND #run = :mine",
        nobody=NOBODY,
        me=me,
        mine=_name(run.key[1], run.cause),
    )


async def _held(table: StoreTable, run: LeasedRun, seen: Item, now: datetime) -> bool:
    holder = await table.get(**_key_of_name(run.job.id, seen["run"]))
    working = holder.get("owner") == seen["owner"] and holder.get("work") == "start"
    return working and to_time(holder["at"]) > now


async def _others(table: StoreTable, run: LeasedRun, claimed: Item, now: datetime) -> list[Other]:
    mine = _name(run.key[1], run.cause)
    begun: list[str] = json.loads(claimed.get("begun", "[]"))
    async with aclosing(table.waiting_runs(run.job.id)) as found:
        waiting = [item async for item in found]
    waiting.sort(key=lambda item: str(item["sk"]))

    async def read(name: str) -> Item:
        return await table.get(**_key_of_name(run.job.id, name))

    async def again(item: Item) -> Item:
        return await table.get(**key_of(item))

    names = [name for name in begun if name != mine]
    items = await side_by_side(read, names, AT_ONCE)
    unseen = [item for item in waiting if item["sk"] != mine and item["sk"] not in names]
    items += await side_by_side(again, unseen[:READ_AHEAD], AT_ONCE)
    items += unseen[READ_AHEAD:]
    return [other_run(_as_row(item), now) for item in items if item.get("work")]


def _as_row(item: Item) -> dict[str, Any]:
    return {**item, "wake_at": item["at"] if item["work"] == "start" else None}


def _name(due_at: str, cause: str) -> str:
    return f"{due_at}#{cause}"


def _key_of_name(job_id: str, name: str) -> dict[str, str]:
    return run_key(job_id, *name.split("#", 1))
