"""A destination in memory, which refuses what a test tells it to."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio
import anyio.lowlevel

from watchbot.errors import AwsError
from watchbot.sqs.destination import Result
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.publish import Publisher


async def no_pause(seconds: float) -> None:
    """Waits for nothing."""


async def _at_once() -> None:
    pass


class FakeDestination:
    """Takes every message but as `refusals` (by body) and `errors` (by call) say, one at a time."""

    def __init__(
        self,
        *,
        fifo: bool = False,
        refusals: dict[str, list[Unsent]] | None = None,
        errors: Sequence[AwsError | None] = (),
        meanwhile: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self.fifo = fifo
        self.taken: list[Outgoing] = []
        self.calls: list[list[str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self._refusals, self._errors = refusals or {}, list(errors)
        self._meanwhile = meanwhile

    @property
    def bodies(self) -> list[str]:
        """The bodies taken, in order."""
        return [message.body for message in self.taken]

    def fit(self, message: Outgoing) -> Outgoing:
        return message

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        self.calls.append([message.body for message in messages])
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self._meanwhile()
        self.under_way -= 1
        error = self._errors.pop(0) if self._errors else None
        if error:
            raise error
        return [self._answer(message) for message in messages]

    def _answer(self, message: Outgoing) -> Result:
        refusals = self._refusals.get(message.body)
        if refusals:
            return refusals.pop(0)
        self.taken.append(message)
        return f"id-{message.body}"


async def published(
    destination: FakeDestination, messages: Iterable[Outgoing], results: list[Result] | None = None
) -> list[Result]:
    """The results; they are in `results` too, for when this raises."""
    results = [] if results is None else results
    with anyio.fail_after(5):
        async for result in Publisher(destination, pause=no_pause).publish(messages):
            results.append(result)
    return results
