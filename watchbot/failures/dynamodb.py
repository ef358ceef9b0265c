"""Failures in a DynamoDB table with the key `part` and the sort key `at`.

Each failure is an item of its kind, deleted by DynamoDB after two weeks (`expires`). Counts are
items of a day, with the kind as sort key, and of an hour, with a number for each minute: so the
kinds of two weeks are read with 14 queries, however many failures there were.

Needs the permissions PutItem, UpdateItem and Query.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from watchbot import dynamodb
from watchbot.aws import Client
from watchbot.dynamodb import Item, Table, first, side_by_side
from watchbot.failures.store import KEPT, MINUTES, FailureKind, KeptFailure
from watchbot.moment import to_time
from watchbot.settings.base import AwsEndpoint

_DAY, _HOUR = "%Y-%m-%d", "%Y-%m-%dT%H"
_HOUR_KEPT = timedelta(hours=3)


@asynccontextmanager
async def open_table(address: str, aws: AwsEndpoint) -> AsyncIterator["DynamoFailures"]:
    """Opens the table with this name or ARN."""
    async with dynamodb.open_table(address, aws) as table:
        yield DynamoFailures(table)


async def create_table(client: Client, name: str) -> None:
    """Creates a table for failures."""
    keys = [("part", "HASH"), ("at", "RANGE")]
    await client.call(
        "create_table",
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        BillingMode="PAY_PER_REQUEST",
    )


class DynamoFailures:
    """A store in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, failures: Sequence[KeptFailure]) -> None:
        await side_by_side(self._put, failures)
        by_day = Counter((_day(each), each.fingerprint) for each in failures)
        last = {(_day(each), each.fingerprint): each for each in failures}
        await side_by_side(
            lambda counted: self._count_day(*counted[0], counted[1], last[counted[0]]),
            by_day.items(),
        )
        by_minute = Counter(
            (to_time(each.at).strftime(f"{_HOUR}:%M"), each.fingerprint) for each in failures
        )
        await side_by_side(
            lambda counted: self._count_minute(*counted[0], counted[1]), by_minute.items()
        )

    async def kinds(self, now: datetime) -> list[FailureKind]:
        days = [(now - timedelta(days=back)).strftime(_DAY) for back in range(KEPT.days + 1)]
        kinds: dict[str, FailureKind] = {}
        minutes = await self._minutes(now)
        for items in await side_by_side(lambda day: self._items(f"day#{day}"), days):
            for item in items:
                known = kinds.get(item["at"])
                kinds[item["at"]] = FailureKind(
                    fingerprint=item["at"],
                    how=known.how if known else item["how"],
                    count=item["count"] + (known.count if known else 0),
                    first=item["first"],
                    last=known.last if known else item["last"],
                    minutes=minutes.get(item["at"], [0] * MINUTES),
                )
        return sorted(kinds.values(), key=lambda kind: kind.last, reverse=True)

    async def of_kind(self, fingerprint: str, most: int) -> list[KeptFailure]:
        found = self._table.query(
            "#part = :part", part=f"kind#{fingerprint}", ScanIndexForward=False, Limit=most
        )
        return [_read(item) for item in await first(found, most)]

    async def forget(self, before: datetime) -> None:
        pass  # DynamoDB deletes what has expired

    async def _put(self, failure: KeptFailure) -> None:
        item = {
            **asdict(failure.storable),
            "part": f"kind#{failure.fingerprint}",
            "at": f"{failure.at}#{failure.message_id}",
            "expires": _expires(to_time(failure.at) + KEPT),
        }
        await self._table.put(item, "attribute_not_exists(#part)")

    async def _count_day(self, day: str, fingerprint: str, count: int, last: KeptFailure) -> None:
        await self._table.update(
            {"part": f"day#{day}", "at": fingerprint},
            "SET #how = :how, #last = :last, #first = if_not_exists(#first, :last), "
            "#expires = :expires ADD #count :count",
            how=last.how,
            last=last.at,
            expires=_expires(to_time(last.at) + KEPT),
            count=count,
        )

    async def _count_minute(self, minute: str, fingerprint: str, count: int) -> None:
        hour, _, number = minute.rpartition(":")
        await self._table.update(
            {"part": f"hour#{hour}", "at": fingerprint},
            f"SET #expires = :expires ADD #m{number} :count",
            expires=_expires(to_time(f"{hour}:00:00.000Z") + _HOUR_KEPT),
            count=count,
        )

    async def _minutes(self, now: datetime) -> dict[str, list[int]]:
        counts: dict[str, list[int]] = {}
        for back in (1, 0):
            hour = (now - timedelta(hours=back)).replace(minute=0, second=0, microsecond=0)
            for item in await self._items(f"hour#{hour.strftime(_HOUR)}"):
                counted = counts.setdefault(item["at"], [0] * MINUTES)
                for minute in range(60):
                    age = int((now - hour).total_seconds() // 60) - minute
                    if 0 <= age < MINUTES:
                        counted[MINUTES - 1 - age] += item.get(f"m{minute:02d}", 0)
        return counts

    async def _items(self, part: str) -> list[dict[str, Any]]:
        return [item async for item in self._table.query("#part = :part", part=part)]


def _read(item: Item) -> KeptFailure:
    facts = {name: item.get(name) for name in KeptFailure.__dataclass_fields__}
    return KeptFailure(**{**facts, "at": item["at"].partition("#")[0]})


def _day(failure: KeptFailure) -> str:
    return to_time(failure.at).strftime(_DAY)


def _expires(moment: datetime) -> int:
    return int(moment.timestamp())
