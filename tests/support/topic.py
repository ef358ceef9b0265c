"""A topic in memory, as `Client` shows it."""

from collections.abc import Sequence
from typing import Any

import anyio

from watchbot.errors import AwsError, Rejected

FACTS = {"service": "SNS", "operation": "publish", "code": "InvalidParameter", "text": "text"}


def _opened() -> anyio.Event:
    event = anyio.Event()
    event.set()
    return event


class FakeTopic:
    """Takes notices, alone and in batches.

    But not `bad` ones, nor a batch with such a one in it, nor `throttled` ones at first, nor calls
    while there are `errors`. With `open`, an answer comes once that is set.
    """

    service = "sns"

    def __init__(
        self,
        *,
        takes_batches: bool = True,
        bad: frozenset[str] | set[str] = frozenset(),
        throttled: Sequence[str] = (),
        errors: Sequence[AwsError] = (),
        open: anyio.Event | None = None,
    ) -> None:
        self.operations: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.taken: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._takes_batches, self._bad = takes_batches, bad
        self._throttled, self._errors = list(throttled), list(errors)
        self.open = open or _opened()

    async def call(self, operation: str, **request: Any) -> Any:
        self.operations.append(operation)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await self.open.wait()
        self._at_once -= 1
        if self._errors:
            raise self._errors.pop(0)
        if operation == "publish":
            return self._publish(request)
        return self._publish_batch(request["PublishBatchRequestEntries"])

    def _publish(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Message"] in self._bad:
            raise Rejected(**FACTS)
        self._take(request)
        return {"MessageId": "m"}

    def _publish_batch(self, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        if not self._takes_batches or any(entry["Message"] in self._bad for entry in entries):
            raise Rejected(**FACTS)
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in entries:
            if entry["Message"] in self._throttled:
                self._throttled.remove(entry["Message"])
                answer["Failed"].append({"Id": entry["Id"], "Code": "Throttled"})
            else:
                self._take(entry)
                answer["Successful"].append({"Id": entry["Id"], "MessageId": "m"})
        return answer

    def _take(self, request: dict[str, Any]) -> None:
        self.taken.append(request["Message"])
        self.requests.append(request)
