"""The table: its keys and its index, and the calls to it.

All jobs are items under one key, `jobs`, sorted by their names; the runs of a job are under a key
of their own, `run#NAME`, sorted by their times. What somebody has to see to has two attributes
more: `work`, what it is (to plan a job, to start a run, to look at its tasks), and `at`, when. The
index `work` holds these alone, in the order of time, and is the only one.

An index is late by some milliseconds or more. It is where work is found; what is done then is done
on the condition that the item itself is still as it was.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal

import anyio

from watchbot.aws import Client, retry_pause
from watchbot.dynamodb import CONDITION_FAILED, Item, Table
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
TRIES = 6  # of a call that DynamoDB had no room for, or that met another at the same item
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
    """A table whose calls raise `DatabaseError`. `told` is given the date of each answer."""

    def __init__(self, client: Client, name: str, told: Callable[[str], None]) -> None:
        super().__init__(client, name)
        self.shown_url = f"dynamodb://{name}"
        self._told = told

    async def call(self, operation: str, **parameters: Any) -> Any:
        # Only what was surely not done is tried again here. Of what may have been done the caller
        # knows whether doing it twice is the same.
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
        """At most this number of the items that are due by now, the earliest first."""
        found = self.query(
            "#work = :work AND #at <= :now",
            IndexName=INDEX,
            Limit=most,
            work=work,
            now=to_text(now),
        )
        return await first(found, most)

    async def next(self, work: Work) -> str | None:
        """When there is work of this kind, if there is any."""
        found = self.query("#work = :work", IndexName=INDEX, Limit=1, work=work)
        items = await first(found, 1)
        return items[0]["at"] if items else None

    def waiting_runs(self, job_id: str) -> AsyncGenerator[Item]:
        """The runs of a job that wait for their start, as far as the index has them."""
        # Not filtered by the table's keys: whether an index allows that, AWS does not say.
        return self.query(
            "#work = :work",
            IndexName=INDEX,
            FilterExpression="#job_id = :job_id",
            work="start",
            job_id=job_id,
        )

    async def prepare(self) -> bool:
        """Makes the table, if it is not there; whether it did.

        Raises `SettingError` for a table of somebody else and for a server that has no
        transactions, and `NotConfigured`.
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
                f"the table {self.name} is none of the scheduler's; name another, or none that "
                "exists: it is made then",
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
        """Has DynamoDB delete what is over: whoever made the table may have died before."""
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
        except DatabaseError as error:  # jobs run without it, and the table grows
            log.warning("expiry not enabled", extra={"table": self.name, "reason": str(error)})

    async def _create(self) -> bool:
        """Begins to make it; False when another replica has."""
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
                facts = await self._described()  # for a moment it may not be there yet
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
                raise error.__cause__ from None  # it says what to set
            raise
        return answer["Table"]

    def _named(self, error: AwsError) -> Exception:
        """A refusal that is an answer stays what it is."""
        if isinstance(error, Rejected) and error.code in _OURS:
            return error
        kind = DatabaseDown if error.transient or _not_now(error) else DatabaseError
        return kind(self.shown_url, f"{error.operation}: {error.code}: {error.text}")


async def first(found: AsyncGenerator[Item], most: int) -> list[Item]:
    """At most this number of the items that a query finds."""
    items: list[Item] = []
    async with aclosing(found):
        async for item in found:
            items.append(item)
            if len(items) == most:
                break
    return items


def runs_key(job_id: str) -> str:
    """The key that all runs of a job share."""
    return f"run#{job_id}"


def claim_key(job_id: str) -> dict[str, str]:
    """The key of what says which run of a job was decided last."""
    return {"pk": f"claim#{job_id}", "sk": "claim"}


def key_of(item: Item) -> dict[str, str]:
    """The key of an item that was found."""
    return {"pk": item["pk"], "sk": item["sk"]}


def assigned(attributes: Mapping[str, Any]) -> str:
    """The text of an update that sets these, and removes those that are None."""
    kept = [f"#{name} = :{name}" for name, value in attributes.items() if value is not None]
    gone = [f"#{name}" for name, value in attributes.items() if value is None]
    parts = [f"SET {', '.join(kept)}" if kept else "", f"REMOVE {', '.join(gone)}" if gone else ""]
    return " ".join(part for part in parts if part)


def given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None: DynamoDB's indexes know no empty values."""
    return {name: value for name, value in attributes.items() if value is not None}


def expiry(now: datetime, kept: timedelta) -> int:
    """When DynamoDB may delete what is over now, in seconds since 1970."""
    return round((now + kept).timestamp())


def _not_now(error: AwsError) -> bool:
    """Whether a call was surely not made, and may be a moment later."""
    if isinstance(error, Rejected):
        conflict = error.code == "TransactionConflictException"
        at_fault = {*error.reasons} - {"None"}  # of a transaction, where each part has its reason
        return conflict or (bool(at_fault) and at_fault <= _NO_ROOM)
    return isinstance(error, Throttled)
