"""Remembers a watcher's last failures for `/failures`: fingerprints, and no text of a message."""

from collections import OrderedDict
from dataclasses import dataclass

from watchbot.listen.report import Report
from watchbot.sqs.message import timestamp
from watchbot.world import REAL, World

KEPT = 10  # kinds of failure


@dataclass(slots=True)
class _Kind:
    how: str
    queue: str
    count: int
    last_ms: int


class Failures:
    """An observer that remembers the last ten kinds of failure, each with its count."""

    def __init__(self, world: World = REAL) -> None:
        self._wall = world.wall
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()

    def observe(self, report: Report) -> None:
        """Remembers the report if it is a failure."""
        if not report.outcome.notify:
            return
        known = self._kinds.pop(report.fingerprint, None)
        count = known.count + 1 if known else 1
        moment = int(self._wall() * 1000)
        self._kinds[report.fingerprint] = _Kind(report.how, report.message.queue, count, moment)
        if len(self._kinds) > KEPT:
            self._kinds.popitem(last=False)

    def page(self) -> list[dict[str, object]]:
        """The failures as `/failures` serves them, the newest first; `queue` had the last one."""
        return [
            {
                "fingerprint": fingerprint,
                "how": kind.how,
                "queue": kind.queue,
                "count": kind.count,
                "last": timestamp(kind.last_ms),
            }
            for fingerprint, kind in reversed(self._kinds.items())
        ]
