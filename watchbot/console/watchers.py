"""Reads all watchers every few seconds, and remembers the last hour of their failures."""

import socket
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio import to_thread

from watchbot.address import netloc
from watchbot.outcome import TABLE
from watchbot.top.fetch import fetch, runs_at
from watchbot.top.reading import Reading, Summary, summary

EVERY_S = 5
AT_ONCE = 16  # watchers
WINDOW_S = 60  # of rates and durations
MINUTES = 60  # of a sparkline
FAILING = frozenset(row.outcome.name for row in TABLE if row.outcome.notify)
FORGOTTEN_S = 600  # a watcher of --watchers-dns whose address is gone this long


@dataclass(slots=True)
class WatcherView:
    """What is known of a watcher; `problem` says why it cannot be read now.

    `runs` are what it serves at /v1/runs; None if it is too old.
    """

    url: str
    named: bool = True  # by the user; others were found by DNS
    readings: deque[Reading] = field(default_factory=deque)
    problem: str | None = "not read yet"
    runs: Sequence[Mapping[str, Any]] | None = None
    seen_at: float = 0.0

    @property
    def summary(self) -> Summary | None:
        """Its figures, with the rates of the last minute."""
        return summary(self.readings[0], self.readings[-1]) if self.readings else None

    @property
    def failed_a_second(self) -> float:
        """The rate of failures in the last minute, of all kinds."""
        now = self.summary
        return sum(now.rates[name] for name in FAILING) if now else 0.0


@dataclass(slots=True)
class FailingKind:
    """Failures with one fingerprint, of all watchers: `minutes` has the counts of the last hour."""

    fingerprint: str
    how: str
    count: int = 0
    last: str = ""
    minutes: Sequence[int] = ()


class Watchers:
    """All watchers, read in the background."""

    def __init__(self, urls: Sequence[str], dns: str | None, token: str | None = None) -> None:
        self._dns, self._token = dns, token
        self.views = {url: WatcherView(url) for url in urls}
        self.problem: str | None = None  # of the name's look-up
        self._minutes: defaultdict[str, defaultdict[int, int]] = defaultdict(
            lambda: defaultdict(int)
        )

    async def read_for_ever(self) -> None:
        """Reads all watchers every five seconds."""
        while True:
            await self.read()
            await anyio.sleep(EVERY_S)

    async def read(self) -> None:
        """Reads all watchers once."""
        if self._dns is not None:
            await self._find(self._dns)
        few = anyio.CapacityLimiter(AT_ONCE)

        async def one(view: WatcherView) -> None:
            said = await to_thread.run_sync(fetch, view.url, self._token, limiter=few)
            if isinstance(said, str):
                view.problem = said
                return
            view.runs = await to_thread.run_sync(runs_at, view.url, self._token, limiter=few)
            self._take_in(view, said)

        async with anyio.create_task_group() as reading:
            for view in self.views.values():
                reading.start_soon(one, view)

    def failing(self) -> list[FailingKind]:
        """The failing kinds that watchers remember, the most recent first."""
        kinds: dict[str, FailingKind] = {}
        for view in self.views.values():
            for each in view.readings[-1].failures if view.readings else ():
                kind = kinds.setdefault(each.fingerprint, FailingKind(each.fingerprint, each.how))
                kind.count += each.count
                kind.last = max(kind.last, each.last)
        now = int(time.time() // 60)
        for kind in kinds.values():
            counted: Mapping[int, int] = self._minutes.get(kind.fingerprint, {})
            kind.minutes = [counted.get(now - back, 0) for back in reversed(range(MINUTES))]
        return sorted(kinds.values(), key=lambda kind: kind.last, reverse=True)

    async def _find(self, dns: str) -> None:
        name, _, port = dns.rpartition(":")
        try:
            found = await to_thread.run_sync(
                lambda: socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
            )
            self.problem = None
        except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is too long
            self.problem = f"{name}: {getattr(error, 'strerror', None) or error}"
            return
        urls = {f"http://{netloc(str(address[0]), int(port))}/metrics" for *_, address in found}
        for url in urls - self.views.keys():
            self.views[url] = WatcherView(url, named=False)
        gone = [
            url
            for url, view in self.views.items()
            if not view.named and url not in urls and time.monotonic() - view.seen_at > FORGOTTEN_S
        ]
        for url in gone:
            del self.views[url]

    def _take_in(self, view: WatcherView, reading: Reading) -> None:
        view.problem, view.seen_at = None, time.monotonic()
        before = view.readings[-1] if view.readings else None
        view.readings.append(reading)
        while len(view.readings) > 2 and reading.at_s - view.readings[0].at_s > WINDOW_S:
            view.readings.popleft()
        # Failures from before the console began to read are not counted: nobody knows when.
        if before is not None:
            self._count(before, reading)

    def _count(self, before: Reading, after: Reading) -> None:
        """Counts the failures between two readings of a watcher, in this minute."""
        counted = {each.fingerprint: each.count for each in before.failures}
        now = int(time.time() // 60)
        for each in after.failures:
            known = counted.get(each.fingerprint, 0)
            grown = each.count - known if each.count >= known else each.count  # it began anew
            self._minutes[each.fingerprint][now] += grown
        self._forget(now - MINUTES)

    def _forget(self, until: int) -> None:
        """Drops the counts of this minute and of earlier ones."""
        for minutes in self._minutes.values():
            for old in [minute for minute in minutes if minute <= until]:
                del minutes[old]
        for fingerprint in [name for name, minutes in self._minutes.items() if not minutes]:
            del self._minutes[fingerprint]
