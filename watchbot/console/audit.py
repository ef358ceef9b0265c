"""Notes who did what with the console: in the log, in memory, and in a database if there is one."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from watchbot.console.in_time import in_time
from watchbot.errors import DatabaseDown, DatabaseError
from watchbot.moment import to_text
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate

KEPT = 1000  # deeds in memory
PACKAGE = "watchbot.console"
COMPONENT = "console"
NOBODY = "somebody"  # on loopback nobody says who acts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An action. `count` is the number of messages or jobs; `at` a time in ISO 8601."""

    at: str
    who: str
    what: str
    target: str
    count: int = 1
    detail: str = ""


class Audit:
    """The deeds, newest first: in the database at `url`, which may come and go, or in memory."""

    def __init__(self, url: str | None = None) -> None:
        self._url, self._has_tables = url, False
        self._last: deque[Deed] = deque(maxlen=KEPT)

    async def note(
        self, who: str, what: str, target: str, *, count: int = 1, detail: str = ""
    ) -> None:
        """Notes a deed. A database that does not answer is a line in the log: the deed is done."""
        at = to_text(datetime.now(UTC))
        deed = Deed(at=at, who=who or NOBODY, what=what, target=target, count=count, detail=detail)
        self._last.appendleft(deed)
        facts = {"who": deed.who, "what": what, "target": target, "count": count}
        log.info("action", extra={**facts, "detail": " ".join(detail.split())[:200]})
        if self._url is None:
            return
        try:
            async with self._opened(self._url) as database, database.transaction() as transaction:
                await transaction.execute(
                    "INSERT INTO console_audit (at, who, what, target, count, detail) "
                    "VALUES (:at, :who, :what, :target, :count, :detail)",
                    **asdict(deed),
                )
        except DatabaseError as error:
            log.warning("action not in the database", extra={"reason": str(error)})

    async def deeds(self, page: int = 0, size: int = 100) -> Sequence[Deed]:
        """A page of deeds. Raises `DatabaseError`."""
        if self._url is None:
            return list(self._last)[page * size : (page + 1) * size]
        async with self._opened(self._url) as database:
            rows = await database.fetch(
                "SELECT at, who, what, target, count, detail FROM console_audit "
                "ORDER BY number DESC LIMIT :size OFFSET :skip",
                size=size,
                skip=page * size,
            )
        return [Deed(**row) for row in rows]

    async def check(self) -> None:
        """Opens the database once, if there is one. Raises `SettingError` and `DatabaseError`."""
        if self._url is not None:
            async with self._opened(self._url):
                pass

    @asynccontextmanager
    async def _opened(self, url: str) -> AsyncIterator[Database]:
        with in_time("--database"):
            async with open_database(url, connections=1) as database:
                if not self._has_tables:
                    await migrate(database, COMPONENT, PACKAGE)
                    self._has_tables = True
                yield database


async def open_audit(url: str | None) -> Audit:
    """An audit that keeps its deeds in the database at `url`, or in memory.

    Raises `SettingError` and `DatabaseError`, but not for a database that is down now.
    """
    audit = Audit(url)
    try:
        await audit.check()
    except DatabaseDown as error:
        log.warning("audit not in the database", extra={"reason": str(error)})
    return audit
