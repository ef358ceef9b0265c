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
    total: int  # letters
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    done: int = 0
    gone: int = 0
    doubled: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    problem: str | None = None
    over: bool = False
    cancelled: bool = False
    stop: anyio.Event = field(default_factory=anyio.Event)

    @property
    def left(self) -> int:
        """The number of letters that are not dealt with."""
        return max(0, self.total - self.done - self.gone - len(self.refused))

    @property
    def share(self) -> float:
        """The part of the letters that is dealt with, 0 to 1."""
        return 1 - self.left / self.total if self.total else 1.0

    def cancel(self) -> None:
        """Stops after the letters that are being sent now."""
        self.cancelled = True
        self.stop.set()


class _Counter:
    """The part of a walk that a replay uses: deletes what was sent."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray
        self.undeleted = 0

    async def delete(self, messages: Sequence[Message]) -> None:
        self.undeleted += await self._tray.delete(messages)


async def carry_out(work: OrderProgress, tray: Tray, aws: AwsEndpoint, audit: Audit) -> None:
    """Carries an order out, and notes its end in the audit. Raises nothing: see `problem`."""
    order = work.order
    with tray.order(work.stop):
        try:
            await (_delete(work, tray) if order.what == "delete" else _replay(work, tray, aws))
        except* WatchbotError as errors:
            work.problem = str(first_expected(errors))
        finally:
            work.over = True
            work.order = replace(order, ids=())  # up to a hundred thousand, and done with
            await audit.note(order.who, order.what, order.queue, count=work.done, detail=told(work))


def told(work: OrderProgress) -> str:
    """The result in one line."""
    parts = [f"{work.done} {work.order.what}{'d' if work.order.what.endswith('e') else 'ed'}"]
    parts += [f"{len(work.refused)} refused and kept"] if work.refused else []
    parts += [f"{work.doubled} sent, but not deleted here"] if work.doubled else []
    parts += [f"{work.gone} were gone"] if work.gone else []
    parts += [f"{work.left} left"] if work.over and work.left else []
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
    order, counter, rate = work.order, _Counter(tray), work.order.rate
    size = CHUNK if rate is None else max(1, min(CHUNK, int(rate)))

    async with open_destination(order.to_url or "", aws) as destination:
        replaying = Replay(counter, destination, lambda text: log.info("letter kept: %s", text))
        for messages in _chunks(work, tray, size):
            if order.body is not None:
                messages = [replace(each, body=order.body) for each in messages]
            await replaying.replay(messages)
            tally = replaying.tally
            work.done, work.doubled = tally.replayed, tally.doubled
            work.refused += [
                (message_id, f"{why.code}: {why.text}")
                for message_id, why in tally.refused[len(work.refused) :]
            ]
            if rate is not None:
                with anyio.move_on_after(len(messages) / rate):
                    await work.stop.wait()


def _chunks(work: OrderProgress, tray: Tray, size: int) -> Iterator[list[Message]]:
    """The letters of the order that the tray still has, until its stop."""
    for ids in batched(work.order.ids, size):
        if work.stop.is_set():
            return
        places = [tray.sheaf.place(each) for each in ids]
        here = [place for place in places if place is not None]
        work.gone += len(places) - len(here)
        if here:
            yield [tray.sheaf.message(place) for place in here]
