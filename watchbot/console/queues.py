"""Looks at the queues that the console shows, and remembers how their oldest messages age."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from watchbot.queues.ages import with_cloudwatch
from watchbot.queues.named import asked_for, opened
from watchbot.queues.state import QueueState, states
from watchbot.settings.status import StatusSettings
from watchbot.settings.whereabouts import queue_name

REMEMBERED_S = 900
STEADY_S = 60  # the least time over which an age may be said to grow


class Queues:
    """The queues of the options, looked at when a page asks."""

    def __init__(
        self,
        settings: StatusSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._ages: dict[str, deque[tuple[float, float]]] = {}

    @property
    def any(self) -> bool:
        """Whether the options name queues."""
        return bool(self._settings.queue_url or self._settings.queue_prefix is not None)

    async def look(self) -> Sequence[QueueState]:
        """The states of all queues, with the ages that CloudWatch knows. Raises `WatchbotError`."""
        if not self.any:
            return ()
        async with opened(await asked_for(self._settings), self._settings.aws) as clients:
            found = await states(clients)
        found = await with_cloudwatch(found, self._settings.aws)
        for state in found:
            self._note(state)
        return found

    def grows_since_s(self, url: str) -> float | None:
        """For how long nothing has been taken from the queue's oldest end; None if it moves."""
        ages = self._ages.get(url)
        if not ages or len(ages) < 2:
            return None
        (began, first), (ended, last) = ages[0], ages[-1]
        steady_s = ended - began
        return steady_s if steady_s >= STEADY_S and last - first >= 0.9 * steady_s else None

    def _note(self, state: QueueState) -> None:
        ages = self._ages.setdefault(state.url, deque())
        if state.oldest_s is None or not state.messages.get("visible"):
            ages.clear()
            return
        now = self._clock()
        ages.append((now, state.oldest_s))
        while now - ages[0][0] > REMEMBERED_S:
            ages.popleft()


def keys(urls: Sequence[str]) -> Mapping[str, str]:
    """A short name for each queue's page, by URL: its name, with a number where two share it."""
    taken: dict[str, str] = {}
    for url in urls:
        name, number = queue_name(url), 1
        key = name
        while key in taken:
            number += 1
            key = f"{name}~{number}"
        taken[key] = url
    return {url: key for key, url in taken.items()}
