"""Sends dead letters to the queue they came from, then deletes those that were sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from watchbot.deadletter.letter import origin
from watchbot.deadletter.walk import Walk
from watchbot.sqs.destination import Destination
from watchbot.sqs.evidence import original
from watchbot.sqs.message import Message
from watchbot.sqs.outgoing import Outgoing, Unsent, again
from watchbot.sqs.publish import Publisher


@dataclass(slots=True)
class Tally:
    """What became of messages. `doubled`: sent, and still here, as deleting them failed."""

    replayed: int = 0
    doubled: int = 0
    refused: list[tuple[str, Unsent]] = field(default_factory=list)


class Replay:
    """Replays the messages of a walk, wave by wave; in a FIFO queue each group in its order."""

    def __init__(self, walk: Walk, destination: Destination, say: Callable[[str], None]) -> None:
        self._walk, self._destination, self._say = walk, destination, say
        self._publisher = Publisher(destination)
        self._sent: set[str] = set()
        self.tally = Tally()

    async def replay(self, messages: Sequence[Message]) -> None:
        """Sends these, and deletes those that were sent.

        One that comes back dead while the walk goes on is kept: else it might never end. Raises
        `AwsError` when no more can be sent.
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
            # Also after an error: what was sent must not stay here.
            await self._walk.delete(sent)
            self.tally.replayed += len(sent)
            self.tally.doubled = self._walk.undeleted

    def _outgoing(self, message: Message) -> Outgoing:
        # Not the id of old, which the queue may remember; and the same one if, after an
        # interruption, this message is sent once more: then a FIFO queue drops the second.
        dedup_id = f"replay-{message.id}" if self._destination.fifo else None
        return again(original(message), dedup_id=dedup_id)

    def _refuse(self, message: Message, unsent: Unsent) -> None:
        self.tally.refused.append((message.id, unsent))
        self._say(f"{message.id}: {unsent.code}: {unsent.text}; kept")
