"""Messages that come more than once: again when they are done, or twice at once."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot.lifecycle import now

REMEMBERED = 10_000


class Done:
    """The ids of the last messages that were done: deleted without a run when they come again."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids


class Turn:
    """Whose turn it is among the deliveries of one message."""

    def __init__(self) -> None:
        self.free = asyncio.Lock()  # hands itself on in the order in which it was asked for
        self.takers = 0
        self.back_at: float | None = None

    @property
    def went_back(self) -> bool:
        """Whether one before this one has given the message back, for a pause."""
        return self.back_at is not None


class Twins:
    """Knows the messages in hand by their ids, and lets one delivery of each at a time go on.

    SQS may hand out a message of a standard queue twice; and once more when a lease was lost while
    its worker still runs.
    """

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    @asynccontextmanager
    async def turn(self, message_id: str) -> AsyncIterator[Turn]:
        """Waits until every delivery of this message that came before has ended."""
        turn = self._turns.setdefault(message_id, Turn())
        turn.takers += 1
        try:
            async with turn.free:
                yield turn
        finally:
            turn.takers -= 1
            if not turn.takers:
                del self._turns[message_id]

    def give_back(self, message_id: str, pause_s: int) -> None:
        """Notes that the message goes back for so many seconds; the first one to say so counts."""
        turn = self._turns[message_id]
        if turn.back_at is None:
            turn.back_at = now() + pause_s

    def pause_s(self, message_id: str) -> int:
        """Seconds that the message, which is in hand, is still to wait; 0 where nobody said so."""
        back_at = self._turns[message_id].back_at
        return 0 if back_at is None else max(0, round(back_at - now()))
