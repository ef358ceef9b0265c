"""The record as JSON over HTTP: queries under /v1, and a stream of changes."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from watchbot.errors import DatabaseError, UsageError
from watchbot.pages.site import asking
from watchbot.record import answers
from watchbot.record.answers import BY, Filters
from watchbot.record.paging import PAGE, Page
from watchbot.sql.database import Database
from watchbot.sql.dialect import Row

FILTERS = ("cluster", "family", "group", "started_by", "service")
PAGING = ("page", "limit")
LIST = (*FILTERS, *PAGING, "after")
MAX_PAGE_SIZE = 1000
STREAM_PAUSE_S = 1
STREAM_S = 35  # `doorkeeper` cuts off what ends a minute after a connection's last answer
STREAMED_AT_ONCE = 500

log = logging.getLogger(__name__)


class Api:
    """The routes that answer with JSON. A stream of changes ends after `stream_s`."""

    def __init__(self, database: Database, *, stream_s: float = STREAM_S) -> None:
        self._database, self._stream_s = database, stream_s

    def routes(self) -> list[Route]:
        return [
            Route("/v1/tasks", asking(self.running, *LIST)),
            Route("/v1/tasks/at/{time}", asking(self.at, *LIST)),
            Route("/v1/tasks/{arn:path}", asking(self.task)),
            Route("/v1/failures", asking(self.failures, *FILTERS, "since", "by")),
            Route("/v1/stream/tasks", asking(self.stream, "since")),
        ]

    async def running(self, request: Request) -> Response:
        page = page_of(request)
        rows = await answers.running(self._database, filters_of(request), page)
        at = await answers.reconciled_at(self._database)
        return JSONResponse({**_listed(rows, page), "reconciled_at": at})

    async def at(self, request: Request) -> Response:
        moment = answers.moment(request.path_params["time"], datetime.now(UTC))
        page = page_of(request)
        rows = await answers.at(self._database, moment, filters_of(request), page)
        return JSONResponse(_listed(rows, page))

    async def task(self, request: Request) -> Response:
        found = await answers.history(self._database, request.path_params["arn"])
        if found is None:
            return JSONResponse({"message": "no such task is in the record"}, 404)
        task = {**found.task, "detail": json.loads(found.task["detail"])}
        return JSONResponse({"task": task, "containers": found.containers, "events": found.events})

    async def failures(self, request: Request) -> Response:
        since, by = since_of(request, timedelta(days=7)), by_of(request)
        rows = await answers.failures(self._database, since, by, filters_of(request))
        return JSONResponse({"by": by, "failures": rows})

    async def stream(self, request: Request) -> Response:
        """Streams server-sent events; pass the id of the last as `since` or Last-Event-ID to go on.

        Without either, the stream begins with the next change; `since=0` begins with the oldest. It
        ends in order before the server would cut it off; a client of such events comes again.
        """
        asked = request.headers.get("last-event-id") or request.query_params.get("since")
        position = _position(asked) if asked else await answers.newest(self._database)
        return StreamingResponse(self._changes(position), media_type="text/event-stream")

    async def _changes(self, position: tuple[int, int]) -> AsyncIterator[str]:
        yield f"{_id(position)}\n"  # a client that comes again before a change goes on from here
        ends_at = anyio.current_time() + self._stream_s
        while anyio.current_time() < ends_at:
            try:
                rows = await answers.changes(self._database, position, STREAMED_AT_ONCE)
            except DatabaseError as error:  # the client goes on from the last id that it has
                log.warning("stream ended", extra={"reason": str(error)})
                return
            for row in rows:
                position = (row.pop("tx"), row.pop("seq"))
                yield f"{_id(position)}event: task\ndata: {json.dumps(row)}\n\n"
            if len(rows) < STREAMED_AT_ONCE:
                yield ": \n\n"  # keeps the connection open, and detects a closed one
                await anyio.sleep(STREAM_PAUSE_S)


def _listed(rows: list[Row], page: Page) -> dict[str, object]:
    return {"tasks": rows, "page": page.number, "next_after": page.next_after(rows)}


def filters_of(request: Request) -> Filters:
    """The filters in the query string."""
    return Filters(**{name: request.query_params.get(name) for name in FILTERS})


def page_of(request: Request) -> Page:
    """The page in the query string. Raises `UsageError`."""
    number = _number(request.query_params.get("page", "0"), 10_000)
    size = _number(request.query_params.get("limit", str(PAGE)), MAX_PAGE_SIZE)
    return Page(number=number, size=max(size, 1), after=request.query_params.get("after") or None)


def since_of(request: Request, default: timedelta) -> datetime:
    """The start of the time asked for: `since`, else `default` ago. Raises `UsageError`."""
    now = datetime.now(UTC)
    asked = request.query_params.get("since")
    return answers.moment(asked, now) if asked else now - default


def by_of(request: Request) -> str:
    """The unit that failures are counted by. Raises `UsageError`."""
    by = request.query_params.get("by", "day")
    if by not in BY:
        raise UsageError(f"by must be one of {', '.join(BY)}")
    return by


def _id(position: tuple[int, int]) -> str:
    return f"id: {position[0]}.{position[1]}\n"


def _position(text: str) -> tuple[int, int]:
    tx, _, seq = text.partition(".")
    return _number(tx, 2**62), _number(seq or "0", 2**62)


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise UsageError(f"{text[:40]!r} must be a whole number from 0 to {most}")
    return int(text)
