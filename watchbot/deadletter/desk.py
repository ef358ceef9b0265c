"""The context of every verb: the queues, the request, the chosen messages."""

import math
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from watchbot.aws import Client, open_client
from watchbot.deadletter import letter
from watchbot.deadletter.dead_queue import DeadLetterQueue
from watchbot.deadletter.selection import Selection
from watchbot.deadletter.walk import Walk, walking
from watchbot.display import Display, display
from watchbot.lifecycle import Stop
from watchbot.settings.deadletter import DeadLetterSettings
from watchbot.sqs.message import Message
from watchbot.sqs.queue import SqsQueue

TOLD_EVERY = 20_000  # messages between two lines of progress, without a bar
MOST_HIDDEN = 120_000
NEARLY_MOST_HIDDEN = 110_000  # below MOST_HIDDEN, because SQS's counts are approximate


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRequest:
    """A verb with its options. `selection` combines the ids and the settings."""

    settings: DeadLetterSettings
    selection: Selection
    verb: str | None = None
    words: tuple[str, ...] = ()
    as_json: bool = False
    yes: bool = False
    dry_run: bool = False

    @property
    def whole(self) -> bool:
        """Whether all messages are chosen."""
        return self.selection.every and self.settings.max is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterDesk:
    """A pair of queues and a request.

    `total` is the approximate number of waiting messages. `missing` are the requested ids not
    found yet; `unseen`, the approximate number of messages that SQS could not show because too
    many are hidden; `elsewhere`, the number that other consumers hold.
    """

    request: LetterRequest
    dead_queue: DeadLetterQueue
    sqs: Client
    stop: Stop
    shown: Display
    total: int
    missing: set[str]
    unseen: list[int] = field(default_factory=list)
    elsewhere: list[int] = field(default_factory=list)

    @property
    def settings(self) -> DeadLetterSettings:
        """The settings of the request."""
        return self.request.settings

    def summary(self, message: Message) -> dict[str, Any]:
        """The facts that `list` prints of a message."""
        return letter.summary(message, self.settings.envelope)

    def everything(self, message: Message) -> dict[str, Any]:
        """All facts about a message."""
        return letter.everything(message, self.settings.envelope)

    @property
    def queue(self) -> SqsQueue:
        """The dead-letter queue."""
        return SqsQueue(self.sqs, self.dead_queue.dead_letter_queue_url)

    def walk(self) -> AbstractAsyncContextManager[Walk]:
        """A walk through the dead-letter queue; see `walking`."""
        settings = self.settings
        return walking(
            self.queue,
            self.stop,
            visibility_s=settings.visibility_timeout,
            wait_s=settings.poll_wait,
        )

    async def meant(self, walk: Walk) -> AsyncIterator[list[Message]]:
        """The chosen messages, in groups, at most `--max`."""
        selection = self.request.selection
        left = min(self.settings.max or math.inf, len(selection.ids) or math.inf)
        async for wave in walk.waves():
            for _ in wave:
                self.shown.advance(1)
            found = [message for message in wave if selection.takes(message)]
            messages = found[: int(min(left, len(found)))]
            left -= len(messages)
            self.missing.difference_update(*map(letter.ids_of, messages))
            if messages:
                yield messages
            if left <= 0:
                return
        if not self.stop.draining.is_set():
            await self._say_unseen(walk)

    def concluded(self, code: int = 0) -> int:
        """`code`; or 1 when SQS did not show all messages, or after printing the ids not found.

        After a stop, ids that were not found do not count: the walk did not see everything.
        """
        if self.unseen:
            code = code or 1
        if not self.missing or self.stop.draining.is_set():
            return code
        self.shown.say(f"not found in {self.dead_queue.name}: {', '.join(sorted(self.missing))}")
        return code or 1

    def say_none(self) -> None:
        """Says that the queue is empty, or that no message was chosen."""
        if self.missing or self.unseen or self.stop.draining.is_set():
            return
        if not self.request.selection.every:
            self.shown.say(f"no message of this choice in {self.dead_queue.name}")
        elif not self.elsewhere:
            self.shown.say(f"{self.dead_queue.name} is empty")

    async def _say_unseen(self, walk: Walk) -> None:
        facts = await self.queue.facts()
        waiting = int(facts.get("ApproximateNumberOfMessages", 0))
        hidden = int(facts.get("ApproximateNumberOfMessagesNotVisible", 0)) - walk.held
        # At the limit, SQS answers a long poll with nothing, not with an error.
        if walk.full or (waiting > 0 and walk.held + max(hidden, 0) >= NEARLY_MOST_HIDDEN):
            self.unseen.append(waiting)
            self.shown.say(
                f"about {waiting:,} more are not seen: SQS hides {MOST_HIDDEN:,} messages of a "
                "queue at most, and a walk hides what it has seen; replay or delete some "
                "(--max N, or another choice), then run this again"
            )
        elif self.queue.fifo and waiting > 0:
            self.shown.say(f"about {waiting} more are not seen: they wait behind their groups")
        if hidden > 0:
            self.elsewhere.append(hidden)
            self.shown.say(f"about {hidden} more are in other hands now; run this again later")


@asynccontextmanager
async def open_desk(
    request: LetterRequest, dead_queue: DeadLetterQueue, stop: Stop
) -> AsyncIterator[LetterDesk]:
    """Opens a desk. Raises `AwsError` when the queue cannot be asked."""
    aws = request.settings.aws.near(dead_queue.dead_letter_queue_url)
    async with open_client("sqs", aws, wait_s=request.settings.poll_wait) as sqs:
        facts = await SqsQueue(sqs, dead_queue.dead_letter_queue_url).facts()
        total = int(facts.get("ApproximateNumberOfMessages", 0))
        # A bar would disturb the questions of a conversation.
        progress = request.verb is not None and sys.stderr.isatty()
        with display(sys.stderr, progress=progress, total=total, every=TOLD_EVERY) as shown:
            yield LetterDesk(
                request=request,
                dead_queue=dead_queue,
                sqs=sqs,
                stop=stop,
                shown=shown,
                total=total,
                missing=set(request.selection.ids),
            )
