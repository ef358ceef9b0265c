"""The last failures of a watcher, for whoever looks: fingerprints, and no word of a message."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from watchbot.listen.job import Report
from watchbot.sqs.message import timestamp

KEPT = 10  # kinds of failure


@dataclass(slots=True)
class _Kind:
    how: str
    count: int
    last_ms: int


class Failures:
    """Remembers the last ten kinds of failure, each with its count."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()

    def note(self, report: Report) -> None:
        """Takes in a failure."""
        known = self._kinds.pop(report.fingerprint, None)
        count = known.count + 1 if known else 1
        moment = int(time.time() * 1000)
        self._kinds[report.fingerprint] = _Kind(report.how, count, moment)
        if len(self._kinds) > KEPT:
            self._kinds.popitem(last=False)

    def page(self) -> list[dict[str, object]]:
        """The failures as `/failures` serves them, the last first."""
        return [
            {
                "fingerprint": fingerprint,
                "how": kind.how,
                "count": kind.count,
                "last": timestamp(kind.last_ms),
            }
            for fingerprint, kind in reversed(self._kinds.items())
        ]
