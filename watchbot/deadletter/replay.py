"""Sends dead letters to the queue they came from, then deletes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from watchbot.deadletter.letter import origin
from watchbot.sqs.destination import Destination
from watchbot.sqs.evidence import carried, original
from watchbot.sqs.message import Message
from watchbot.sqs.outgoing import Outgoing, Unsent, again, flaw
from watchbot.sqs.publish import Publisher


@dataclass(slots=True)
class Tally:
    """Counts of results. `doubled` messages were sent, but could not be deleted here."""

    replayed: int = 0
    doubled: int = 0
    refused: list[tuple[str, Unsent]] = field(default_factory=list)


class Hidden(Protocol):
    """Messages that are hidden from others, as those of a walk."""

    @property
    def undeleted(self) -> int:
        """The number of messages that could not be deleted."""
        ...

    async def delete(self, messages: Sequence[Message]) -> None:
        """Deletes messages from their queue."""


class Replay:
    """Replays held messages, wave by wave; keeps the order of each FIFO group."""

    def __init__(self, walk: Hidden, destination: Destination, say: Callable[[str], None]) -> None:
        self._walk, self._destination, self._say = walk, destination, say
        self._publisher = Publisher(destination)
        self._sent: set[str] = set()
        self.tally = Tally()

    async def replay(self, messages: Sequence[Message]) -> None:
        """Sends messages, and deletes those that were sent.

        Keeps a message that returns dead during the walk, which could otherwise go on forever.
        Raises `AwsError` when it can send no more.
        """
        fresh = [message for message in messages if origin(message) not in self._sent]
        sent: list[Message] = []
        try:
            waiting = iter(fresh)
            async for result in self._publisher.publish(map(self._outgoing, fresh)):
                message = next(waiting)
                if isinstance(result, Unsent):
                    self._refuse(message, result)
                else:
                    self._sent.add(result)
                    sent.append(message)
        finally:
            # Also after an error: a sent message must not stay here.
            await self._walk.delete(sent)
            self.tally.replayed += len(sent)
            self.tally.doubled = self._walk.undeleted

    def _outgoing(self, message: Message) -> Outgoing:
        # A new id, because the queue may remember the old one; derived from the message, so that
        # the queue drops a second copy sent after an interruption.
        dedup_id = f"replay-{message.id}" if self._destination.fifo else None
        own = original(message)
        named = again(replace(own, attributes=carried(own)), dedup_id=dedup_id)
        # A message as large as SQS allows has no room for the first one's id.
        return named if flaw(named) is None else again(own, dedup_id=dedup_id)

    def _refuse(self, message: Message, unsent: Unsent) -> None:
        self.tally.refused.append((message.id, unsent))
        self._say(f"{message.id}: {unsent.code}: {unsent.text}; kept")
