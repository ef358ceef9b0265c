"""Checkpoints in a DynamoDB table, an item each. Its key is the text `id`.

Needs the permissions GetItem, UpdateItem and DeleteItem. `expires` is the attribute for the table's
time to live.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot import dynamodb
from watchbot.checkpoints.store import Checkpoint
from watchbot.dynamodb import Table
from watchbot.settings.base import AwsEndpoint

# A table may hold other things, too: `watchbot progress` has the same key.
PREFIX = "watchbot-checkpoint:"


@asynccontextmanager
async def open_table(address: str, aws: AwsEndpoint) -> AsyncIterator["CheckpointTable"]:
    """Opens the table with this name or ARN."""
    async with dynamodb.open_table(address, aws) as table:
        yield CheckpointTable(table)


class CheckpointTable:
    """A store in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        saved = await self._table.update(
            _key(name),
            "SET #content = :content, #order = :order, #expires = :expires",
            "attribute_not_exists(#order) OR #order <= :order",
            content=content,
            order=order,
            expires=expires,
        )
        return saved is not None

    async def load(self, name: str) -> Checkpoint | None:
        item = await self._table.get(**_key(name))
        if "content" not in item:
            return None
        return Checkpoint(bytes(item["content"]), item["expires"])

    async def keep(self, name: str, expires: int) -> None:
        await self._table.update(
            _key(name), "SET #expires = :expires", "attribute_exists(#content)", expires=expires
        )

    async def delete(self, name: str) -> None:
        await self._table.delete(_key(name), "")


def _key(name: str) -> dict[str, str]:
    return {"id": f"{PREFIX}{name}"}
