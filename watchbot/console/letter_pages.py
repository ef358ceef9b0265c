"""The pages of dead letters: by queue, by kind, one letter whole, and orders on many."""

import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from watchbot.console.fresh import Missing
from watchbot.console.letters.asked import (
    FILTERS,
    filters_of,
    ids_confirmed,
    places_matching,
    to_confirm,
)
from watchbot.console.letters.tray import Tray
from watchbot.console.letters.work import Order, told
from watchbot.console.queues import keys
from watchbot.console.render import Renderer
from watchbot.console.sources import Sources
from watchbot.console.visit import form_of, number_of
from watchbot.deadletter import letter
from watchbot.pages.site import asking
from watchbot.queues.state import QueueState

SIZE = 100  # letters on a page
WALKING_REFRESH_S, WORK_REFRESH_S = 2, 1
LEAST_RATE, MOST_RATE = 0.001, 10_000
NONE_CHOSEN = "no letter is chosen of those that are open now; tick some, and try again"


class LetterPages:
    """The routes of these pages and their actions."""

    def __init__(self, sources: Sources, renderer: Renderer) -> None:
        self._sources, self._renderer = sources, renderer

    def routes(self) -> list[Route]:
        one = "/letters/{key}/{id}"
        return [
            Route("/letters", asking(self.queues)),
            Route("/letters/{key}", asking(self.letters, *FILTERS, "page")),
            Route("/letters/{key}/file", asking(self.file, *FILTERS)),
            Route("/letters/{key}/open", self.open, methods=["POST"]),
            Route("/letters/{key}/again", self.again, methods=["POST"]),
            Route("/letters/{key}/close", self.close, methods=["POST"]),
            Route("/letters/{key}/sure", self.sure, methods=["POST"]),
            Route("/letters/{key}/act", self.act, methods=["POST"]),
            Route(one, asking(self.letter)),
            Route("/works/{id}", asking(self.work)),
            Route("/works/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def queues(self, request: Request) -> Response:
        looked = await self._sources.looked.get()
        states = () if isinstance(looked, Missing) else looked
        by_url = keys([state.url for state in states])
        rows = [
            (by_url[state.url], state, self._sources.opened(state))
            for state in states
            if state.redrive
        ]
        return self._renderer.page(
            request,
            "letter_queues.html",
            rows=rows,
            missing=looked.reason if isinstance(looked, Missing) else None,
            works=[(work, told(work)) for work in self._sources.trays.works],
        )

    async def letters(self, request: Request) -> Response:
        key, state = await self._queue(request)
        tray = self._tray(state)
        facts: dict[str, Any] = {"key": key, "queue": state, "tray": tray}
        if tray is None or tray.closed:
            wait_s = WALKING_REFRESH_S if tray and not tray.ended.is_set() else 0
            return self._renderer.page(request, "letters_closed.html", refresh_s=wait_s, **facts)
        number, asked = number_of(request.query_params), filters_of(request.query_params)
        places = places_matching(tray.sheaf, asked)
        shown = places[number * SIZE : (number + 1) * SIZE]
        link = urlencode({name: value for name, value in asked.items() if value})
        return self._renderer.page(
            request,
            "letters.html",
            refresh_s=WALKING_REFRESH_S if tray.walking else 0,
            **facts,
            kinds=tray.sheaf.kinds(),
            asked=asked,
            link=link,
            filtered=bool(link),
            found=len(places),
            letters=[tray.sheaf.summary(place) for place in shown],
            number=number,
            more=len(places) > (number + 1) * SIZE,
        )

    async def letter(self, request: Request) -> Response:
        key, state = await self._queue(request)
        tray = self._open_tray(state)
        place = tray.sheaf.place(request.path_params["id"])
        if place is None:
            raise HTTPException(404, "this letter is not here any more: replayed, or deleted")
        message = tray.sheaf.message(place)
        facts = letter.everything(message)
        return self._renderer.page(
            request,
            "letter.html",
            key=key,
            queue=state,
            letter=facts,
            pretty=_pretty(facts["message"]),
            log=self._log_link(state, facts),
        )

    async def file(self, request: Request) -> Response:
        _, state = await self._queue(request)
        tray = self._open_tray(state)
        places = places_matching(tray.sheaf, filters_of(request.query_params))

        async def lines() -> AsyncIterator[str]:
            for place in places:
                if tray.closed:
                    return
                yield f"{letter.as_json(letter.everything(tray.sheaf.message(place)))}\n"

        name = re.sub(r"[^\w.-]", "_", state.name)
        shown = {"content-disposition": f'attachment; filename="{name}.jsonl"'}
        return StreamingResponse(lines(), media_type="application/x-ndjson", headers=shown)

    async def open(self, request: Request) -> Response:
        await form_of(request, self._renderer.tickets)
        key, state = await self._queue(request)
        self._sources.trays.open(_dead_url(state))
        return _to(f"/letters/{_quoted(key)}")

    async def again(self, request: Request) -> Response:
        await form_of(request, self._renderer.tickets)
        key, state = await self._queue(request)
        self._open_tray(state).look_again()
        return _to(f"/letters/{_quoted(key)}")

    async def close(self, request: Request) -> Response:
        await form_of(request, self._renderer.tickets)
        _, state = await self._queue(request)
        self._open_tray(state).close()
        self._sources.looked.forget()
        return _to(f"/letters/{_quoted(request.path_params['key'])}")

    async def sure(self, request: Request) -> Response:
        """Asks before an order: what, how many, where to."""
        form = await form_of(request, self._renderer.tickets)
        key, state = await self._queue(request)
        tray = self._open_tray(state)
        asked, now_s = filters_of(dict(form.fields)), int(time.time())
        ticked = form.one("which") == "chosen"
        ids = form.all("id") if ticked else []
        count = len(ids) if ticked else len(places_matching(tray.sheaf, asked, now_s))
        if not count:
            raise HTTPException(400, NONE_CHOSEN)
        return self._renderer.page(
            request,
            "sure.html",
            key=key,
            queue=state,
            what=_verb(form.one("what")),
            ids=ids,
            count=count,
            confirmed=to_confirm(tray.sheaf, now_s),
            asked=asked,
            sources=await self._sources_of(state),
        )

    async def act(self, request: Request) -> Response:
        """Begins an order, and shows its progress."""
        form = await form_of(request, self._renderer.tickets)
        _, state = await self._queue(request)
        tray, what = self._open_tray(state), _verb(form.one("what"))
        ids = form.all("id") or ids_confirmed(tray.sheaf, form)
        if not ids:
            raise HTTPException(400, NONE_CHOSEN)
        body = form.one("body").replace("\r\n", "\n") if form.one("edited") else None
        to_url = await self._target(state, form.one("to"))
        if body is not None:
            await self._note_edit(form.who, state, tray, ids, body)
        order = Order(
            what=what,
            queue=state.name,
            ids=ids,
            who=form.who,
            to_url=to_url,
            rate=_rate(form.one("rate")),
            body=body,
        )
        work = self._sources.trays.begin(_dead_url(state), order)
        self._sources.looked.forget()
        return _to(f"/works/{work.id}")

    async def work(self, request: Request) -> Response:
        work = self._sources.trays.work(request.path_params["id"])
        if work is None:
            raise HTTPException(404, "no such order is remembered; see the audit")
        if work.over:
            self._sources.looked.forget()
        return self._renderer.page(
            request,
            "work.html",
            refresh_s=0 if work.over else WORK_REFRESH_S,
            work=work,
            told=told(work),
        )

    async def cancel(self, request: Request) -> Response:
        await form_of(request, self._renderer.tickets)
        work = self._sources.trays.work(request.path_params["id"])
        if work is None:
            raise HTTPException(404, "no such order is remembered; see the audit")
        work.cancel()
        return _to(f"/works/{work.id}")

    async def _queue(self, request: Request) -> tuple[str, QueueState]:
        key: str = request.path_params["key"]
        state = await self._sources.queue(key)
        if state is None or not state.redrive:
            raise HTTPException(404, "the console shows no such queue with dead letters")
        return key, state

    def _tray(self, state: QueueState) -> Tray | None:
        """The tray of the queue, which somebody looks into now; or None."""
        tray = self._sources.trays.of(_dead_url(state))
        if tray is not None:
            tray.touch()
        return tray

    def _open_tray(self, state: QueueState) -> Tray:
        tray = self._tray(state)
        if tray is None or tray.closed:
            raise HTTPException(409, "the dead letters of this queue are closed; open them again")
        return tray

    async def _sources_of(self, state: QueueState) -> list[QueueState]:
        """The shown queues that have this dead-letter queue; letters may be any one's."""
        looked = await self._sources.looked.get()
        states = () if isinstance(looked, Missing) else looked
        return [each for each in states if each.redrive and _dead_url(each) == _dead_url(state)]

    async def _target(self, state: QueueState, named: str) -> str:
        urls = [each.url for each in await self._sources_of(state)]
        if named and named not in urls:
            raise HTTPException(400, "letters go back to a queue that they came from, and no other")
        return named or state.url

    async def _note_edit(
        self, who: str, state: QueueState, tray: Tray, ids: Sequence[str], body: str
    ) -> None:
        place = tray.sheaf.place(ids[0]) if len(ids) == 1 else None
        if place is None:
            raise HTTPException(400, "a changed body is for one letter, and it must still be here")
        before = tray.sheaf.message(place).body
        detail = json.dumps({"id": ids[0], "before": before, "after": body}, ensure_ascii=False)
        await self._sources.audit.note(who, "edit", state.name, detail=detail)

    def _log_link(self, state: QueueState, facts: Mapping[str, Any]) -> str | None:
        group = self._sources.settings.log_group
        region = self._sources.settings.aws.near(state.url).region
        if not (group and region):
            return None
        pattern = quote(quote(f'"{facts["original_id"]}"', safe=""), safe="").replace("%", "$")
        place = quote(quote(group, safe=""), safe="").replace("%", "$")
        return (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logsV2:log-groups/log-group/{place}/log-events$3FfilterPattern$3D{pattern}"
        )


def _dead_url(state: QueueState) -> str:
    return state.redrive.target_url(state.url) if state.redrive else ""


def _verb(text: str) -> str:
    if text not in {"replay", "delete"}:
        raise HTTPException(400, "letters can be replayed or deleted")
    return text


def _rate(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not LEAST_RATE <= rate <= MOST_RATE:
        problem = f"the rate must be messages a second, from {LEAST_RATE} to {MOST_RATE}"
        raise HTTPException(400, problem)
    return rate


def _pretty(body: str) -> str | None:
    """The body with indents where it is JSON."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict | list):
        return None
    return json.dumps(found, indent=2, ensure_ascii=False)


def _quoted(key: str) -> str:
    return quote(key, safe="")


def _to(path: str) -> Response:
    return RedirectResponse(path, 303)
