"""Replays or deletes many letters in the background, with progress, a rate, and a way to stop."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import anyio

from watchbot.console.audit import Audit
from watchbot.console.letters.tray import Tray
from watchbot.deadletter.replay import Replay
from watchbot.errors import WatchbotError, first_expected
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.destination import open_destination
from watchbot.sqs.leases import batched
from watchbot.sqs.message import Message

CHUNK = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do with letters: their ids, and for a replay the queue, the rate and a new body.

    `rate` is in messages a second; None: as fast as SQS takes them.
    """

    what: str  # replay, delete
    queue: str
    ids: Sequence[str]
    who: str
    to_url: str | None = None
    rate: float | None = None
    body: str | None = None


@dataclass(slots=True, kw_only=True)
class OrderProgress:
    """An order under way or done. `gone` are letters that the tray no longer had."""

    order: Order
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    done: int = 0
    gone: int = 0
    doubled: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    problem: str | None = None
    over: bool = False
    cancelled: bool = False

    @property
    def total(self) -> int:
        """The number of letters in the order."""
        return len(self.order.ids)

    @property
    def share(self) -> float:
        """The part of the letters that is dealt with, 0 to 1."""
        dealt = self.done + self.gone + len(self.refused)
        return min(1.0, dealt / self.total) if self.total else 1.0

    def cancel(self) -> None:
        """Stops after the letters that are being sent now."""
        self.cancelled = True


class _Counter:
    """The part of a walk that a replay uses: deletes what was sent."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray
        self.undeleted = 0

    async def delete(self, messages: Sequence[Message]) -> None:
        self.undeleted += await self._tray.delete(messages)


async def carry_out(work: OrderProgress, tray: Tray, aws: AwsEndpoint, audit: Audit) -> None:
    """Carries an order out, and notes its end in the audit. Raises nothing: see `problem`."""
    tray.begin_work()
    order = work.order
    try:
        await (_delete(work, tray) if order.what == "delete" else _replay(work, tray, aws))
    except* WatchbotError as errors:
        work.problem = str(first_expected(errors))
    finally:
        work.over = True
        tray.end_work()
        await audit.note(order.who, order.what, order.queue, count=work.done, detail=told(work))


def told(work: OrderProgress) -> str:
    """The result in one line."""
    parts = [f"{work.done} {work.order.what}{'d' if work.order.what.endswith('e') else 'ed'}"]
    parts += [f"{len(work.refused)} refused and kept"] if work.refused else []
    parts += [f"{work.doubled} sent, but not deleted here"] if work.doubled else []
    parts += [f"{work.gone} were gone"] if work.gone else []
    parts += ["cancelled"] if work.cancelled else []
    parts += [work.problem] if work.problem else []
    if work.order.body is not None:
        parts.append("with a changed body")
    return "; ".join(parts)


async def _delete(work: OrderProgress, tray: Tray) -> None:
    for messages in _chunks(work, tray, CHUNK):
        left = await tray.delete(messages)
        work.done += len(messages) - left
        work.refused += [("", "SQS did not delete it")] * left


async def _replay(work: OrderProgress, tray: Tray, aws: AwsEndpoint) -> None:
    order, counter = work.order, _Counter(tray)
    rate = order.rate
    size = CHUNK if rate is None else max(1, min(CHUNK, int(rate)))

    async with open_destination(order.to_url or "", aws) as destination:
        replaying = Replay(counter, destination, lambda text: log.info("letter kept: %s", text))
        for messages in _chunks(work, tray, size):
            changed = [replace(each, body=order.body or each.body) for each in messages]
            await replaying.replay(changed)
            tally = replaying.tally
            work.done, work.doubled = tally.replayed, tally.doubled
            work.refused = [
                (message_id, f"{why.code}: {why.text}") for message_id, why in tally.refused
            ]
            if rate is not None:
                await anyio.sleep(len(messages) / rate)


def _chunks(work: OrderProgress, tray: Tray, size: int) -> Iterator[list[Message]]:
    """The letters of the order that the tray still has, until somebody cancels."""
    for ids in batched(work.order.ids, size):
        if work.cancelled or tray.closed:
            return
        places = [tray.sheaf.place(each) for each in ids]
        here = [place for place in places if place is not None]
        work.gone += len(places) - len(here)
        if here:
            yield [tray.sheaf.message(place) for place in here]
