"""Reads the failures that watchers keep, from the database of `--failures`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import anyio

from watchbot.errors import DatabaseDown
from watchbot.failures.opening import open_failures
from watchbot.failures.store import FailureKind, FailureStore, KeptFailure
from watchbot.settings.base import AwsEndpoint

PATIENCE_S = 5


class KeptFailures:
    """The failures at `url`. Each call opens the database, which may come and go.

    Each call raises `WatchbotError`; the first one, `check`, `SettingError` for a URL of no store.
    """

    def __init__(self, url: str, aws: AwsEndpoint) -> None:
        self._url, self._aws = url, aws

    async def check(self) -> None:
        """Opens the database once."""
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
        try:
            with anyio.fail_after(PATIENCE_S):
                async with open_failures(self._url, self._aws) as store:
                    yield store
        except TimeoutError as error:
            raise DatabaseDown("of --failures", f"no answer within {PATIENCE_S} s") from error
