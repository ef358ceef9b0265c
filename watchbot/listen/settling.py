"""Does with each message what its report says: deletes it, returns it, or leaves it."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace

from watchbot import metrics
from watchbot.listen.backoff import retry_delay
from watchbot.listen.dead_letters import DeadLetters
from watchbot.listen.done import Done
from watchbot.listen.lines import response_s
from watchbot.listen.report import Report
from watchbot.listen.sentback import SentBack
from watchbot.outcome import RELEASED, Fate
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.denials import PAUSE_S
from watchbot.sqs.lease import Lease
from watchbot.sqs.message import about
from watchbot.sqs.payload import Payloads
from watchbot.sqs.source import Source
from watchbot.sqs.valve import Valve

log = logging.getLogger(__name__)


class Settler:
    """Decides what becomes of each message, and then tells the queue.

    `sources` and `dead_letters` are by the name of their queue. `done` knows the messages that need
    no second run. After a delete that AWS denies, the settler pauses receives from that queue:
    every message would run again and again.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        valve: Valve,
        dead_letters: Mapping[str, DeadLetters],
        settings: WatcherSettings,
        payloads: Payloads | None = None,
    ) -> None:
        """`payloads` has the bodies that lie elsewhere; None: each is in its message."""
        self.payloads = payloads
        self._sources, self._valve, self._world = sources, valve, valve.world
        self._dead_letters, self._max_backoff_s = dead_letters, settings.max_backoff
        self.done = Done()
        self._exits = settings.exit_when_empty
        self._sent_back = SentBack(settings.exit_wait, self._world)

    async def decide(self, lease: Lease, report: Report) -> Report:
        """The final report of a message; moves it to the dead-letter queue if it failed too often.

        A message whose lease is lost is `released`, whatever its exit code: another watcher may
        have it now.
        """
        message, outcome = report.message, report.outcome
        if outcome.fate is Fate.DELETE:
            self.done.add(message.id)
        if outcome.fate is Fate.RETURN and not report.pause_s:
            report = replace(report, pause_s=self._pause_s(lease, report))
        if lease.lost:
            return replace(report, outcome=RELEASED, reason=f"lease lost; {report.how}")
        if await self._is_buried(report):
            self.done.add(message.id)
            return replace(report, outcome=outcome.buried, pause_s=0)
        return report

    async def settle(self, lease: Lease, report: Report) -> bool:
        """Does with the message what the report says, and counts the message. Never raises.

        Returns False where the message should be deleted, and was not.
        """
        is_done = False
        try:
            is_done = await self._act(lease, report)
        except Exception:  # a bug of watchbot with one message must not stop the others
            log.exception("message given up", extra=about(lease.message))
            self._sources[lease.message.queue].leases.leave(lease)
        metrics.settled(report.outcome.name, report.message.queue)
        waited_s = response_s(report.message, self._world.wall())
        if waited_s is not None:
            metrics.response_duration.labels(report.message.queue).observe(waited_s)
        return is_done

    def came(self, message_id: str) -> None:
        """Notes that a message is in hand."""
        self._sent_back.came(message_id)
        self._valve.poll_until = math.inf

    def idle(self) -> None:
        """Notes that no message is in hand; no poll will outlast the wait for returned messages."""
        if self._exits:
            self._valve.poll_until = self._sent_back.idle()

    def none_awaited(self) -> bool:
        """Whether the watcher waits for no message that it sent back, to a queue not paused."""
        for source in self._sources.values():
            if source.pause is not None:
                self._sent_back.forget(source.name)
        none = self._sent_back.none_awaited()
        self.idle()
        return none

    def _pause_s(self, lease: Lease, report: Report) -> int:
        if report.retry_after_s is None:
            return retry_delay(report.message.receives, self._max_backoff_s, lease.left_s)
        return math.ceil(min(report.retry_after_s, math.floor(lease.left_s)))

    async def _is_buried(self, report: Report) -> bool:
        letters = self._dead_letters.get(report.message.queue)
        if letters is None:
            return False
        try:
            return await letters.take(report)
        except Exception:  # the message is returned, and SQS's own redrive still catches it
            log.exception("dead letter not sent", extra=about(report.message))
            return False

    async def _act(self, lease: Lease, report: Report) -> bool:
        """Whether a message that should be deleted is."""
        if report.outcome.removes:
            return not lease.lost and await self._delete(lease, report)
        if lease.lost:
            return True
        source = self._sources[lease.message.queue]
        if report.outcome.fate is Fate.LEAVE:
            source.leases.leave(lease)
        else:
            hidden = await source.leases.hide(lease, report.pause_s)
            back_in_s = report.pause_s if hidden else lease.expires_at - self._world.now()
            if self._exits:
                self._sent_back.note(lease.message.id, back_in_s, source.name)
        return True

    async def _delete(self, lease: Lease, report: Report) -> bool:
        source = self._sources[lease.message.queue]
        if await source.leases.delete(lease):
            if self.payloads is not None and report.outcome.fate is Fate.DELETE:
                await self.payloads.discard(report.content)  # a dead letter needs it
            return True
        if source.leases.denials.trouble:
            source.rest(PAUSE_S)
        return False
