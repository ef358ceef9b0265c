"""Reads all watchers every few seconds, and remembers the last hour of their failures."""

import json
import socket
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import anyio
from anyio import to_thread

from watchbot.address import netloc
from watchbot.outcome import TABLE
from watchbot.top.fetch import fetch
from watchbot.top.reading import Reading, ShownFailure, Summary, summary
from watchbot.watchers import NoWatcher, page_at

EVERY_S = 5
AT_ONCE = 16  # watchers
WINDOW_S = 60  # of rates and durations
MINUTES = 60  # of a sparkline
FAILING = frozenset(row.outcome.name for row in TABLE if row.outcome.notify)
FORGOTTEN_S = 600  # a watcher of --watchers-dns whose address is gone this long


@dataclass(slots=True)
class WatcherView:
    """What is known of a watcher; `problem` says why it cannot be read now.

    `workers` and `runs` are what it serves at /v1/workers and /v1/runs; None if it is too old.
    """

    url: str
    named: bool = True  # by the user; others were found by DNS
    readings: deque[Reading] = field(default_factory=deque)
    problem: str | None = "not read yet"
    workers: Mapping[str, Any] | None = None
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
    queues: set[str] = field(default_factory=set)
    minutes: Sequence[int] = ()


class Watchers:
    """All watchers, read in the background."""

    def __init__(self, urls: Sequence[str], dns: str | None, token: str | None = None) -> None:
        self._dns, self._token = dns, token
        self.views = {url: WatcherView(url) for url in urls}
        self.problem: str | None = None  # of the name's look-up
        self._counts: dict[tuple[str, str], int] = {}
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
            said = await to_thread.run_sync(_read, view.url, self._token, limiter=few)
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
            counted = self._minutes[kind.fingerprint]
            kind.minutes = [counted.get(now - back, 0) for back in reversed(range(MINUTES))]
        return sorted(kinds.values(), key=lambda kind: kind.last, reverse=True)

    async def _find(self, dns: str) -> None:
        name, _, port = dns.rpartition(":")
        try:
            found = await to_thread.run_sync(
                lambda: socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
            )
            self.problem = None
        except OSError as error:
            self.problem = f"{name}: {error.strerror or error}"
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

    def _take_in(self, view: WatcherView, said: "_Said | str") -> None:
        if isinstance(said, str):
            view.problem = said
            return
        view.problem, view.seen_at = None, time.monotonic()
        view.workers, view.runs = said.workers, said.runs
        first = not view.readings
        view.readings.append(said.reading)
        while len(view.readings) > 2 and said.reading.at_s - view.readings[0].at_s > WINDOW_S:
            view.readings.popleft()
        for each in said.reading.failures:
            self._count(view.url, each, first=first)

    def _count(self, url: str, failure: ShownFailure, *, first: bool) -> None:
        before = self._counts.get((url, failure.fingerprint), 0)
        grown = failure.count - before if failure.count >= before else failure.count
        if first:  # failures from before the console began to read: nobody knows when
            grown = 0
        self._counts[url, failure.fingerprint] = failure.count
        minutes, now = self._minutes[failure.fingerprint], int(time.time() // 60)
        minutes[now] += grown
        for old in [minute for minute in minutes if minute <= now - MINUTES]:
            del minutes[old]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    reading: Reading
    workers: Mapping[str, Any] | None
    runs: Sequence[Mapping[str, Any]] | None


def _read(url: str, token: str | None) -> _Said | str:
    reading = fetch(url, token)
    if isinstance(reading, str):
        return reading
    workers, runs = (_json(urljoin(url, path), token) for path in ("v1/workers", "v1/runs"))
    return _Said(
        reading=reading,
        workers=workers if isinstance(workers, dict) else None,
        runs=[each for each in runs if isinstance(each, dict)] if isinstance(runs, list) else None,
    )


def _json(url: str, token: str | None) -> Any:
    """The page's content; None where an older watcher has no such page."""
    try:
        return json.loads(page_at(url, token))
    except (NoWatcher, ValueError):
        return None
