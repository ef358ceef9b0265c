"""Looks at the queues that the console shows, and remembers how their oldest messages age."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from watchbot.queues.ages import with_cloudwatch
from watchbot.queues.named import asked_for, opened
from watchbot.queues.state import QueueState, states
from watchbot.settings.status import StatusSettings
from watchbot.settings.whereabouts import queue_name

REMEMBERED_S = 900
AGES_EVERY_S = 60  # CloudWatch has a value a minute, and takes money for each that it tells
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
        self._aged: Mapping[str, QueueState] = {}
        self._aged_at: float | None = None

    @property
    def any(self) -> bool:
        """Whether the options name queues."""
        return bool(self._settings.queue_url or self._settings.queue_prefix is not None)

    async def look(self) -> Sequence[QueueState]:
        """The states of all queues, with the ages that CloudWatch told in the last minute.

        Raises `WatchbotError`.
        """
        if not self.any:
            return ()
        async with opened(await asked_for(self._settings), self._settings.aws) as clients:
            found = await states(clients)
        now = self._clock()
        if self._aged_at is None or now - self._aged_at >= AGES_EVERY_S:
            found = await with_cloudwatch(found, self._settings.aws)
            self._aged, self._aged_at = {state.url: state for state in found}, now
            self._ages = {url: ages for url, ages in self._ages.items() if url in self._aged}
            for state in found:
                self._note(state)
        return [_as_old_as(self._aged.get(state.url, state), state) for state in found]

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


def _as_old_as(aged: QueueState, state: QueueState) -> QueueState:
    """The state with the age that was told of its queue before; an empty queue has none."""
    if "oldest" in aged.unknown:
        return replace(state, unknown={**state.unknown, "oldest": aged.unknown["oldest"]})
    if not state.messages.get("visible"):
        return state
    return replace(state, oldest_s=aged.oldest_s, oldest_from=aged.oldest_from)


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
