"""The pages that show: what needs a person, queues, failures, runs, the audit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchbot.console.audit import Deed
from watchbot.console.fresh import Missing
from watchbot.console.needs import needs
from watchbot.console.queues import keys
from watchbot.console.render import Renderer
from watchbot.console.sources import Sources
from watchbot.console.visit import number_of
from watchbot.console.watchers import WatcherView
from watchbot.errors import DatabaseError, WatchbotError
from watchbot.outcome import NAMES
from watchbot.pages.site import asking

REFRESH_S = 5
SHOWN_RUNS = 500
SHOWN_JOBS = 100
DEEDS = 100


class LookPages:
    """The routes of these pages."""

    def __init__(self, sources: Sources, renderer: Renderer) -> None:
        self._sources, self._renderer = sources, renderer

    def routes(self) -> list[Route]:
        return [
            Route("/", asking(self.now)),
            Route("/queues/{key}", asking(self.queue)),
            Route("/failures", asking(self.failures)),
            Route("/failures/{fingerprint}", asking(self.kind)),
            Route("/runs", asking(self.runs, "outcome", "message")),
            Route("/audit", asking(self.audit, "page")),
        ]

    async def now(self, request: Request) -> Response:
        board = await self._sources.board()
        missing = isinstance(board.queues, Missing)
        return self._renderer.page(
            request,
            "now.html",
            refresh_s=REFRESH_S,
            needs=needs(board),
            queues=(() if missing else board.queues) if self._sources.queues.any else None,
            queues_missing=board.queues.reason if isinstance(board.queues, Missing) else None,
            keys=board.keys,
            opened=board.open_letters,
            watchers=board.watchers,
            jobs=list(_jobs(board.watchers))[:SHOWN_JOBS],
        )

    async def queue(self, request: Request) -> Response:
        key = request.path_params["key"]
        state = await self._sources.queue(key)
        if state is None:
            raise HTTPException(404, "the console shows no such queue")
        return self._renderer.page(request, "queue.html", queue=state, key=key)

    async def failures(self, request: Request) -> Response:
        kinds = await self._sources.failing()
        kept = self._sources.kinds is not None
        return self._renderer.page(
            request,
            "failures.html",
            refresh_s=REFRESH_S,
            kinds=() if isinstance(kinds, Missing) else kinds,
            missing=kinds.reason if isinstance(kinds, Missing) else None,
            source="Of the last 14 days, from the database of --failures."
            if kept
            else "As the watchers remember them: the last ten kinds of each, until it ends.",
        )

    async def kind(self, request: Request) -> Response:
        fingerprint = request.path_params["fingerprint"]
        kinds = await self._sources.failing()
        found = () if isinstance(kinds, Missing) else kinds
        missing = None
        try:
            runs = await self._of_kind(fingerprint)
        except WatchbotError as error:
            runs, missing = [], str(error)
        return self._renderer.page(
            request,
            "kind.html",
            fingerprint=fingerprint,
            kind=next((each for each in found if each.fingerprint == fingerprint), None),
            runs=runs,
            missing=missing,
            sample=next((each["tail"] for each in runs if each["tail"]), ""),
            letters=await self._letters(fingerprint),
        )

    async def _of_kind(self, fingerprint: str) -> list[dict[str, Any]]:
        """The last messages that failed so: from the store, else as the watchers remember them."""
        store = self._sources.failures
        if store is not None:
            kept = await store.of_kind(fingerprint, SHOWN_RUNS)
            return [{**asdict(each), "ended": each.at, "where": each.container} for each in kept]
        runs = [each for each in self._last_runs() if each["fingerprint"] == fingerprint]
        return runs[:SHOWN_RUNS]

    async def _letters(self, fingerprint: str) -> list[tuple[str, str, int]]:
        """The dead letters of a kind that are open here: page key, queue, and count."""
        states = await self._sources.looked.get()
        if isinstance(states, Missing):
            return []
        by_url = keys([state.url for state in states])
        found: list[tuple[str, str, int]] = []
        for state in states:
            tray = self._sources.tray(state)
            if tray and (count := len(tray.sheaf.places(fingerprint=fingerprint))):
                found.append((by_url[state.url], state.name, count))
        return found

    async def runs(self, request: Request) -> Response:
        asked = request.query_params
        outcome, message = asked.get("outcome", ""), asked.get("message", "").strip()
        runs = [
            each
            for each in self._last_runs()
            if outcome in {"", each["outcome"]} and message in {"", each["message_id"]}
        ]
        views = self._sources.watchers.views.values()
        return self._renderer.page(
            request,
            "runs.html",
            refresh_s=REFRESH_S,
            runs=runs[:SHOWN_RUNS],
            asked=asked,
            outcomes=NAMES,
            silent=[f"{view.url} ({_why_silent(view)})" for view in views if view.runs is None],
        )

    async def audit(self, request: Request) -> Response:
        number = number_of(request.query_params)
        deeds: Sequence[Deed] = ()
        missing = None
        try:
            deeds = await self._sources.audit.deeds(number, DEEDS)
        except DatabaseError as error:
            missing = str(error)
        return self._renderer.page(
            request,
            "audit.html",
            deeds=deeds,
            more=len(deeds) == DEEDS,
            number=number,
            kept=self._sources.settings.database is not None,
            missing=missing,
        )

    def _last_runs(self) -> list[dict[str, Any]]:
        """The runs that watchers remember, the last first."""
        runs = [
            _run(said, view)
            for view in self._sources.watchers.views.values()
            for said in view.runs or ()
        ]
        return sorted(runs, key=lambda run: str(run["ended"]), reverse=True)


def _run(said: Mapping[str, Any], view: WatcherView) -> dict[str, Any]:
    """A run as the pages show it, with nothing that an older or newer watcher left out."""
    memory = said.get("memory_bytes")
    return {
        "message_id": str(said.get("message_id", "")),
        "queue": str(said.get("queue", "")),
        "outcome": str(said.get("outcome", "")),
        "how": str(said.get("how", "")),
        "ended": str(said.get("ended", "")),
        "fingerprint": str(said.get("fingerprint") or ""),
        "duration_s": _number(said.get("duration_s")),
        "receives": _number(said.get("receives")),
        "memory_mb": memory / 1e6 if isinstance(memory, int | float) else None,
        "tail": str(said.get("tail") or ""),
        "watcher": view.url,
        "where": view.url,
    }


def _jobs(views: Sequence[WatcherView]) -> Iterator[dict[str, Any]]:
    """What runs now; nothing of a watcher that does not answer, whose runs may be over."""
    for view in views:
        for run in view.readings[-1].running if view.problem is None and view.readings else ():
            yield {
                "message": ", ".join(run.message_ids),
                "watcher": view.url,
                "age_s": run.age_s,
                "progress": ", ".join(f"{100 * share:.0f} %" for share in run.progress.values()),
            }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _why_silent(view: WatcherView) -> str:
    return view.problem or "too old: it has no /v1/runs"
