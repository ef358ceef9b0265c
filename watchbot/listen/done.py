"""Remembers which messages are done, because SQS may deliver a message after its delete."""

from collections import OrderedDict

REMEMBERED = 10_000


class Done:
    """The ids of the last messages that are done. The watcher deletes these without another run."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids
