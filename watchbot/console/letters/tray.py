"""Walks through a dead-letter queue once, for all viewers, and holds its letters until closed."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio

from watchbot.aws import open_client
from watchbot.console.letters.sheaf import Sheaf
from watchbot.deadletter.walk import Walk, walking
from watchbot.errors import WatchbotError, first_expected, first_of
from watchbot.lifecycle import Stop
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue, SqsQueue

VISIBILITY_S = 120  # letters stay hidden this long if the console is killed
WAIT_S = 1
IDLE_S = 600  # without a viewer
ORDERS_S = 15  # for orders to stop: the queue that they send to may not answer
LONGEST_S = 11 * 3_600  # SQS shows each message again twelve hours after its receive

log = logging.getLogger(__name__)


class Tray:
    """The letters of one queue. Others do not see them while the tray is open.

    SQS has no cursor: who gives letters back gets them again, and each look costs a receive. So
    the tray keeps what it has received, and all viewers look into it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stop = Stop()
        self._wanted = anyio.Event()  # another walk, or the end
        self._opened_at = self._touched_at = clock()
        self._orders: list[anyio.Event] = []  # to stop them
        self._idle = anyio.Event()
        self._walk: Walk | None = None
        self.sheaf = Sheaf()
        self.walking = True
        self.closed = False
        self.ended = anyio.Event()
        self.problem: str | None = None
        self.unseen = 0

    def touch(self) -> None:
        """Notes that somebody looks."""
        self._touched_at = self._clock()

    @property
    def is_over(self) -> bool:
        """Whether nobody has looked for ten minutes, or SQS will soon show the letters again."""
        now = self._clock()
        forgotten = now - self._touched_at > IDLE_S and not self._orders
        return forgotten or now - self._opened_at > LONGEST_S

    def look_again(self) -> None:
        """Walks on, to the letters that have come since."""
        if not self.closed:
            self.walking = True
            self._wanted.set()

    def close(self) -> None:
        """Gives the letters back to the queue, once the orders on them have stopped."""
        if not self.closed:  # a second stop would leave letters hidden
            self._end()
            self._stop.ask()
            self._wanted.set()

    async def run(self, url: str, aws: AwsEndpoint) -> None:
        """Walks through the queue, and holds its letters until `close`.

        Raises neither `WatchbotError` nor `OSError`: `problem` holds its text.
        """
        try:
            async with open_client("sqs", aws.near(url), wait_s=WAIT_S) as sqs:
                await self._hold(SqsQueue(sqs, url))
        except* WatchbotError as errors:
            self._fail(str(first_expected(errors)))
        except* OSError as errors:
            reason = getattr(first_of(errors, OSError), "strerror", None)
            self._fail(f"no room for them in {tempfile.gettempdir()}: {reason}")
        finally:
            self._end()
            self.walking, self._walk = False, None
            self.sheaf.close()
            self.ended.set()

    async def delete(self, messages: Sequence[Message]) -> int:
        """Deletes letters from the queue; returns how many could not be deleted."""
        if self._walk is None:
            return len(messages)
        left = await self._walk.delete_seen(messages)
        self.sheaf.drop([message.id for message in messages])
        return left

    @contextmanager
    def order(self, stop: anyio.Event) -> Iterator[None]:
        """Holds the letters, whoever looks, while an order works on them.

        Sets `stop` when the letters go back: the order must end soon.
        """
        self._orders.append(stop)
        if self.closed:
            stop.set()
        try:
            yield
        finally:
            self._orders.remove(stop)
            self._idle.set()
            self.touch()

    def _end(self) -> None:
        self.closed = True
        for stop in self._orders:
            stop.set()

    def _fail(self, problem: str) -> None:
        self.problem = problem
        log.warning("letters not shown", extra={"reason": problem})

    async def _hold(self, queue: Queue) -> None:
        async with walking(queue, self._stop, visibility_s=VISIBILITY_S, wait_s=WAIT_S) as walk:
            self._walk = walk
            try:
                while not self.closed:
                    await self._take_in(walk, queue)
                    await self._wanted.wait()
                    self._wanted = anyio.Event()
            finally:
                self._end()
                # A letter that was just sent must be deleted, and not given back.
                with anyio.move_on_after(ORDERS_S, shield=True):
                    while self._orders:
                        self._idle = anyio.Event()
                        await self._idle.wait()

    async def _take_in(self, walk: Walk, queue: Queue) -> None:
        self.walking = True
        async for wave in walk.waves():
            for message in wave:
                self.sheaf.add(message)
            if self.sheaf.full:
                break
        facts = await queue.facts()
        self.unseen = int(facts.get("ApproximateNumberOfMessages", 0))
        self.walking = False
