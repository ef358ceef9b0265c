"""Opens a store by the scheme of its URL."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot.errors import SettingError
from watchbot.schedule.store.store import Store
from watchbot.settings.base import describe
from watchbot.settings.schedule import StoreSettings

PLACES = "must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST:5432/NAME or dynamodb://TABLE"


@asynccontextmanager
async def open_store(
    settings: StoreSettings, *, connections: int = 10, days: float = 30
) -> AsyncIterator[Store]:
    """Opens the store at `settings.database`, creates its tables, and closes it on leaving.

    The store deletes runs that ended at least `days` ago. Raises `SettingError` for a URL that
    names no store, `MissingExtra`, and `DatabaseError` when it cannot be opened.
    """
    scheme, _, rest = settings.database.partition("://")
    if scheme not in {"dynamodb", "postgres", "postgresql", "sqlite"}:
        # The error does not repeat the value, which may hold a password.
        raise SettingError(describe("database"), PLACES)
    if scheme == "dynamodb":
        table_name = rest.rstrip("/")
        if not re.fullmatch(r"[\w.:-]+", table_name):
            raise SettingError(describe("database"), "must be dynamodb://TABLE")
        from watchbot.schedule.store.dynamodb.store import open_table

        async with open_table(table_name, settings.aws, connections, days) as table:
            yield table
    else:
        from watchbot.schedule.store.sql.store import open_sql

        async with open_sql(settings.database, connections, days) as store:
            yield store
