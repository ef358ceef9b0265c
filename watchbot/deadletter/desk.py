"""What every verb works with: the place, its dead-letter queue, the messages that are meant."""

import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from watchbot.aws import Client
from watchbot.deadletter.place import Place
from watchbot.deadletter.selection import Selection
from watchbot.deadletter.walk import Walk, walking
from watchbot.display import Display
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.message import Message
from watchbot.sqs.queue import SqsQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for, beside the options that are settings."""

    verb: str | None = None
    words: tuple[str, ...] = ()
    as_json: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One place, and one request."""

    request: Request
    settings: DeadLetterSettings
    selection: Selection
    place: Place
    sqs: Client
    stop: Stop
    shown: Display

    @property
    def queue(self) -> SqsQueue:
        """The dead-letter queue."""
        return SqsQueue(self.sqs, self.place.dead_letter_queue_url)

    def on(self, *, selection: Selection) -> "Desk":
        """The same for other messages."""
        return replace(self, selection=selection)

    def walk(self) -> AbstractAsyncContextManager[Walk]:
        """A walk through the dead-letter queue; see `walking`."""
        return walking(self.queue, self.settings.visibility_timeout, self.stop)

    async def meant(self, walk: Walk) -> AsyncIterator[list[Message]]:
        """The messages that are meant, some at a time, and no more than were asked for."""
        left = self.settings.max or math.inf
        if self.selection.ids:
            left = min(left, len(self.selection.ids))
        async for wave in walk.waves():
            for _ in wave:
                self.shown.advance(1)
            found = [message for message in wave if self.selection.takes(message)]
            messages = found[: int(min(left, len(found)))]
            left -= len(messages)
            if messages:
                yield messages
            if left <= 0:
                return
        await self._tell_of_unseen(walk)

    async def _tell_of_unseen(self, walk: Walk) -> None:
        facts = await self.queue.facts()
        waiting = int(facts.get("ApproximateNumberOfMessages", 0))
        hidden = int(facts.get("ApproximateNumberOfMessagesNotVisible", 0)) - walk.held
        if self.queue.fifo and waiting > 0:
            self.shown.say(f"about {waiting} more are not seen: they wait behind their groups")
        if hidden > 0:
            self.shown.say(f"about {hidden} more are in other hands now; run this again later")
