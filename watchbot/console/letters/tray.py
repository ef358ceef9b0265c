"""Walks through a dead-letter queue once, for all viewers, and holds its letters until closed."""

import logging
import time
from collections.abc import Callable, Sequence

import anyio

from watchbot.aws import open_client
from watchbot.console.letters.sheaf import Sheaf
from watchbot.deadletter.walk import Walk, walking
from watchbot.errors import WatchbotError, first_expected
from watchbot.lifecycle import Stop
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Queue, SqsQueue

VISIBILITY_S = 120  # letters stay hidden this long if the console is killed
WAIT_S = 1
IDLE_S = 600  # without a viewer
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
        self._works = 0
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
        if self._works:
            return False
        now = self._clock()
        return now - self._touched_at > IDLE_S or now - self._opened_at > LONGEST_S

    def look_again(self) -> None:
        """Walks on, to the letters that have come since."""
        if not self.closed:
            self.walking = True
            self._wanted.set()

    def close(self) -> None:
        """Gives the letters back to the queue."""
        self.closed = True
        self._stop.ask()
        self._wanted.set()

    async def run(self, url: str, aws: AwsEndpoint) -> None:
        """Walks through the queue, and holds its letters until `close`.

        Raises no `WatchbotError`: `problem` holds its text.
        """
        try:
            async with open_client("sqs", aws.near(url), wait_s=WAIT_S) as sqs:
                await self._hold(SqsQueue(sqs, url))
        except* WatchbotError as errors:
            self.problem = str(first_expected(errors))
            log.warning("letters not shown", extra={"reason": self.problem})
        finally:
            self.walking, self.closed, self._walk = False, True, None
            self.sheaf.close()
            self.ended.set()

    async def delete(self, messages: Sequence[Message]) -> int:
        """Deletes letters from the queue; returns how many could not be deleted."""
        if self._walk is None:
            return len(messages)
        before = self._walk.undeleted
        await self._walk.delete_seen(messages)
        self.sheaf.drop([message.id for message in messages])
        return self._walk.undeleted - before

    def begin_work(self) -> None:
        """Keeps the tray open, whoever looks, until `end_work`."""
        self._works += 1

    def end_work(self) -> None:
        self._works -= 1
        self.touch()

    async def _hold(self, queue: Queue) -> None:
        async with walking(queue, self._stop, visibility_s=VISIBILITY_S, wait_s=WAIT_S) as walk:
            self._walk = walk
            while not self.closed:
                await self._take_in(walk, queue)
                await self._wanted.wait()
                self._wanted = anyio.Event()

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
