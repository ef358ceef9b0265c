"""The messages in hand: how many there are, and how much memory their bodies take up."""

import sys
from collections.abc import Sequence

from watchbot.sqs.message import Message
from watchbot.sqs.valve import Valve


class Held:
    """Counts what is in hand; while it takes up more than `most_bytes`, nothing is received."""

    def __init__(self, valve: Valve, most_bytes: int) -> None:
        self._valve, self._most_bytes = valve, most_bytes
        self._count = self._bytes = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, messages: Sequence[Message]) -> None:
        """Takes in messages that were just received."""
        self._change(len(messages), _bytes(messages))

    def remove(self, messages: Sequence[Message]) -> None:
        """Lets messages go, which are settled."""
        self._change(-len(messages), -_bytes(messages))

    def _change(self, count: int, size: int) -> None:
        self._count += count
        self._bytes += size
        self._valve.fill(self._bytes > self._most_bytes)


def _bytes(messages: Sequence[Message]) -> int:
    return sum(sys.getsizeof(message.body) for message in messages)
