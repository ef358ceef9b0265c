"""The actions on queues: pause, resume, send a test message."""

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watchbot.console.render import Renderer
from watchbot.console.sources import Sources
from watchbot.console.visit import Form, form_of
from watchbot.moment import to_text
from watchbot.queues.named import opened
from watchbot.queues.state import QueueState
from watchbot.sqs import pause as tags
from watchbot.sqs.destination import open_destination
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.pause import Pause
from watchbot.sqs.publish import Publisher
from watchbot.sqs.queue import SqsQueue


class QueueActions:
    """The routes of these actions. Each is noted in the audit, and leads back to the queue."""

    def __init__(self, sources: Sources, renderer: Renderer) -> None:
        self._sources, self._renderer = sources, renderer

    def routes(self) -> list[Route]:
        return [
            Route("/queues/{key}/pause", self.pause, methods=["POST"]),
            Route("/queues/{key}/resume", self.resume, methods=["POST"]),
            Route("/queues/{key}/send", self.send, methods=["POST"]),
        ]

    async def pause(self, request: Request) -> Response:
        form, state = await self._asked(request)
        pause = Pause(
            reason=form.one("reason"), by=form.who or "console", at=to_text(datetime.now(UTC))
        )
        async with opened([state.url], self._sources.settings.aws) as clients:
            written = await tags.write(SqsQueue(clients[state.url], state.url), pause)
        return await self._done(request, form, state, "pause", written.reason)

    async def resume(self, request: Request) -> Response:
        form, state = await self._asked(request)
        async with opened([state.url], self._sources.settings.aws) as clients:
            await tags.clear(SqsQueue(clients[state.url], state.url))
        return await self._done(request, form, state, "resume", "")

    async def send(self, request: Request) -> Response:
        form, state = await self._asked(request)
        message = Outgoing(body=form.one("body"), group_id=form.one("group") or None)
        result: str | Unsent = Unsent(code="NoAnswer", text="nothing was sent")
        async with open_destination(state.url, self._sources.settings.aws) as destination:
            async for each in Publisher(destination).publish([message]):
                result = each
        if isinstance(result, Unsent):
            raise HTTPException(400, f"not sent: {result.code}: {result.text}")
        return await self._done(request, form, state, "send", f"message {result}")

    async def _asked(self, request: Request) -> tuple[Form, QueueState]:
        form = await form_of(request, self._renderer.tickets)
        state = await self._sources.queue(request.path_params["key"])
        if state is None:
            raise HTTPException(404, "the console shows no such queue")
        return form, state

    async def _done(
        self, request: Request, form: Form, state: QueueState, what: str, detail: str
    ) -> Response:
        await self._sources.audit.note(form.who, what, state.name, detail=detail)
        self._sources.looked.forget()
        return RedirectResponse(f"/queues/{quote(request.path_params['key'], safe='')}", 303)
