"""Opens a store of failures by its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot.errors import SettingError
from watchbot.failures.store import FailureStore
from watchbot.settings.base import AwsEndpoint, describe


@asynccontextmanager
async def open_failures(
    url: str, aws: AwsEndpoint, *, make: bool = True
) -> AsyncIterator[FailureStore]:
    """Opens the store at `url`, and with `make` makes its tables in an SQL database.

    Raises `SettingError` for a URL of no store, and `WatchbotError` when it cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "dynamodb" and rest:
        from watchbot.failures.dynamodb import open_table

        async with open_table(rest, aws) as table:
            yield table
    elif scheme in {"sqlite", "postgres", "postgresql"}:
        from watchbot.failures.sql import open_sql

        async with open_sql(url, make=make) as database:
            yield database
    else:
        # The error does not repeat the URL: it may hold a password.
        raise SettingError(
            describe("failures"),
            "must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST:5432/NAME or dynamodb://TABLE",
        )
