"""Remembers which messages are done: SQS may hand out a message that was deleted."""

from collections import OrderedDict

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
