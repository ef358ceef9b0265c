"""Calls the table, and defines its keys and its index.

All jobs are items under the key `jobs`, sorted by name. The runs of a job are under the key
`run#NAME`, sorted by time. An item with pending work has two more attributes: `work` is the kind of
work (plan a job, start a run, look at its tasks), and `at` is its time. The index `work`, the only
index, has these items alone, sorted by time.

An index lags by milliseconds or more. So replicas find work in the index, but write only on the
condition that the item itself is unchanged.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import anyio

from watchbot.aws import Client, retry_pause
from watchbot.dynamodb import CONDITION_FAILED, Item, Table, first
from watchbot.errors import (
    AwsError,
    DatabaseDown,
    DatabaseError,
    NotConfigured,
    NotFound,
    Rejected,
    SettingError,
    Throttled,
)
from watchbot.moment import to_text
from watchbot.settings.base import describe

log = logging.getLogger(__name__)

JOBS = "jobs"
INDEX = "work"
TRIES = 6  # of a call that DynamoDB throttled, or that conflicted with another call
READY_S = 60

Work = Literal["plan", "start", "look"]

_OURS = {f"{CONDITION_FAILED}Exception", "TransactionCanceledException"}
_NO_ROOM = {"ThrottlingError", "ProvisionedThroughputExceeded"}
_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
_INDEX: dict[str, Any] = {
    "IndexName": INDEX,
    "KeySchema": [
        {"AttributeName": "work", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}


class StoreTable(Table):
    """A table whose calls raise `DatabaseError`. Passes the date of each answer to `told`."""

    def __init__(self, client: Client, name: str, told: Callable[[str], None]) -> None:
        super().__init__(client, name)
        self.shown_url = f"dynamodb://{name}"
        self._told = told

    async def call(self, operation: str, **parameters: Any) -> Any:
        # Retries only calls that DynamoDB has surely not executed. For any other failed call, only
        # the caller knows whether it may run twice.
        failures = 0
        while True:
            try:
                answer = await super().call(operation, **parameters)
            except AwsError as error:
                failures += 1
                if failures == TRIES or not _not_now(error):
                    raise self._named(error) from error
                await anyio.sleep(retry_pause(failures))
            else:
                if date := answer["ResponseMetadata"]["HTTPHeaders"].get("date"):
                    self._told(date)
                return answer

    async def waiting(self, work: Work, now: datetime, most: int) -> list[Item]:
        """Up to `most` items with work that is due by `now`, the earliest first."""
        found = self.query(
            "#work = :work AND #at <= :now",
            IndexName=INDEX,
            Limit=most,
            work=work,
            now=to_text(now),
        )
        return await first(found, most)

    async def next(self, work: Work) -> str | None:
        """The time of the next work of this kind, or None."""
        found = self.query("#work = :work", IndexName=INDEX, Limit=1, work=work)
        items = await first(found, 1)
        return items[0]["at"] if items else None

    def waiting_runs(self, job_id: str) -> AsyncGenerator[Item]:
        """Yields the runs of a job that wait for their start, as far as the index has them."""
        # No filter on the table's keys, because AWS does not say whether an index allows one.
        return self.query(
            "#work = :work",
            IndexName=INDEX,
            FilterExpression="#job_id = :job_id",
            work="start",
            job_id=job_id,
        )

    async def prepare(self) -> bool:
        """Creates the table if it does not exist; returns whether it did.

        Raises `SettingError` for a table of another program and for a server without transactions,
        and `NotConfigured`.
        """
        facts = await self._described()
        made = facts is None and await self._create()
        if facts is None or facts["TableStatus"] == "CREATING":
            facts = await self._ready()
        indexes = facts.get("GlobalSecondaryIndexes", ())
        has_ours = any(_INDEX.items() <= index.items() for index in indexes)
        if facts["KeySchema"] != _KEYS or not has_ours:
            raise SettingError(
                describe("database"),
                f"the table {self.name} is not the scheduler's; name another one, or a new name: "
                "watchbot creates the table",
            )
        await self._need_transactions()
        await self._forget_what_expires()
        return made

    async def _need_transactions(self) -> None:
        """Tries one that changes nothing: without them no run could ever be planned."""
        nothing = self.to_put({"pk": "nothing", "sk": "nothing"}, "attribute_exists(#pk)")
        try:
            await self.transact([nothing])
        except DatabaseError as error:
            cause = error.__cause__
            if not (isinstance(cause, AwsError) and cause.code == "UnknownOperationException"):
                raise
            raise SettingError(
                describe("database"),
                f"the server of the table {self.name} has no transactions; use DynamoDB, a server "
                "that has them, or sqlite:///FILE",
            ) from error

    async def _forget_what_expires(self) -> None:
        """Turns on DynamoDB's expiry, in case the table's creator died before it did."""
        try:
            answer = await self.call("describe_time_to_live", TableName=self.name)
            if answer["TimeToLiveDescription"]["TimeToLiveStatus"] in ("DISABLED", "DISABLING"):
                await self.call(
                    "update_time_to_live",
                    TableName=self.name,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
                )
                log.info("expiry enabled", extra={"table": self.name})
        except DatabaseDown:
            raise
        except DatabaseError as error:  # not fatal: jobs run, but the table grows
            log.warning("expiry not enabled", extra={"table": self.name, "reason": str(error)})

    async def _create(self) -> bool:
        """Begins to create the table; False if another replica has begun."""
        names = {each["AttributeName"] for each in (*_KEYS, *_INDEX["KeySchema"])}
        try:
            await self.call(
                "create_table",
                TableName=self.name,
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in sorted(names)
                ],
                KeySchema=_KEYS,
                GlobalSecondaryIndexes=[_INDEX],
                BillingMode="PAY_PER_REQUEST",
            )
        except DatabaseError as error:
            cause = error.__cause__
            if not (isinstance(cause, Rejected) and cause.code == "ResourceInUseException"):
                raise
            return False
        return True

    async def _ready(self) -> Any:
        with anyio.move_on_after(READY_S):
            while True:
                facts = await self._described()  # a new table may be unknown for a moment
                if facts and facts["TableStatus"] == "ACTIVE":
                    return facts
                await anyio.sleep(1)
        raise DatabaseDown(self.shown_url, f"the table was not ready within {READY_S} s")

    async def _described(self) -> Any:
        """DynamoDB's description of the table; None if there is no table."""
        try:
            answer = await self.call("describe_table", TableName=self.name)
        except DatabaseError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            if isinstance(error.__cause__, NotConfigured):
                raise error.__cause__ from None  # that error says what to set
            raise
        return answer["Table"]

    def _named(self, error: AwsError) -> Exception:
        """The error to raise: unchanged if the caller expects it, else a `DatabaseError`."""
        if isinstance(error, Rejected) and error.code in _OURS:
            return error
        kind = DatabaseDown if error.transient or _not_now(error) else DatabaseError
        return kind(self.shown_url, f"{error.operation}: {error.code}: {error.text}")


def runs_key(job_id: str) -> str:
    """The key that all runs of a job share."""
    return f"run#{job_id}"


def claim_key(job_id: str) -> dict[str, str]:
    """The key of a job's claim."""
    return {"pk": f"claim#{job_id}", "sk": "claim"}


def key_of(item: Item) -> dict[str, str]:
    """The key of an item."""
    return {"pk": item["pk"], "sk": item["sk"]}


def assigned(attributes: Mapping[str, Any]) -> str:
    """The update expression that sets these attributes, and removes those that are None."""
    kept = [f"#{name} = :{name}" for name, value in attributes.items() if value is not None]
    gone = [f"#{name}" for name, value in attributes.items() if value is None]
    parts = [f"SET {', '.join(kept)}" if kept else "", f"REMOVE {', '.join(gone)}" if gone else ""]
    return " ".join(part for part in parts if part)


def given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes without those that are None, because an index cannot have null keys."""
    return {name: value for name, value in attributes.items() if value is not None}


def expiry(now: datetime, kept: timedelta) -> int:
    """The time when DynamoDB may delete an item that is finished now, in seconds since 1970."""
    return round((now + kept).timestamp())


def _not_now(error: AwsError) -> bool:
    """Whether DynamoDB has surely not executed a call, and a retry may succeed."""
    if isinstance(error, Rejected):
        conflict = error.code == "TransactionConflictException"
        at_fault = {*error.reasons} - {"None"}  # each part of a transaction has a reason
        return conflict or (bool(at_fault) and at_fault <= _NO_ROOM)
    return isinstance(error, Throttled)
