"""Reads the failures that watchers keep, from the database of `--failures`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from watchbot.console.in_time import in_time
from watchbot.failures.opening import open_failures
from watchbot.failures.store import FailureKind, FailureStore, KeptFailure
from watchbot.settings.base import AwsEndpoint


class KeptFailures:
    """The failures at `url`. Call `start` first.

    Each call opens an SQL database, which may come and go. A table of DynamoDB stays open: its
    client takes a while to make, and needs no connection. Each call raises `WatchbotError`.
    """

    def __init__(self, url: str, aws: AwsEndpoint) -> None:
        self._url, self._aws = url, aws
        self._table: FailureStore | None = None  # of DynamoDB
        self._has_tables = False

    async def start(self, house: AsyncExitStack) -> None:
        """Opens the database once, or a table until `house` is left.

        Raises `SettingError` for a URL of no store.
        """
        if self._url.startswith("dynamodb://"):
            self._table = await house.enter_async_context(open_failures(self._url, self._aws))
        async with self._opened():
            pass

    async def kinds(self, now: datetime) -> Sequence[FailureKind]:
        """The kinds of the last two weeks, the last failure first."""
        async with self._opened() as store:
            return await store.kinds(now)

    async def of_kind(self, fingerprint: str, most: int) -> Sequence[KeptFailure]:
        """The last failures of a kind, the newest first."""
        async with self._opened() as store:
            return await store.of_kind(fingerprint, most)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[FailureStore]:
        with in_time("--failures"):
            if self._table is not None:
                yield self._table
                return
            made = self._has_tables
            async with open_failures(self._url, self._aws, make=not made) as store:
                self._has_tables = True
                yield store
