"""Opens a store of checkpoints by its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot.checkpoints.store import CheckpointStore
from watchbot.settings.base import AwsEndpoint


@asynccontextmanager
async def open_store(url: str, aws: AwsEndpoint) -> AsyncIterator[CheckpointStore]:
    """Opens the store at `dynamodb://TABLE`, `redis://HOST:PORT/NUMBER` or `file:///DIRECTORY`.

    Raises `SettingError` for a place that cannot be used, and `MissingExtra`.
    """
    scheme, _, place = url.partition("://")
    if scheme == "file":
        from watchbot.checkpoints.directory import Directory

        yield Directory(place)
    elif scheme == "dynamodb":
        from watchbot.checkpoints.dynamodb import open_table

        async with open_table(place, aws) as table:
            yield table
    else:
        from watchbot.checkpoints.redis import open_database

        async with open_database(url) as database:
            yield database
