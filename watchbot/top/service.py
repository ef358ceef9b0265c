"""Reads watchers repeatedly, and shows their figures."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from watchbot.settings.top import TopSettings
from watchbot.top.fetch import fetch
from watchbot.top.reading import Reading, Summary, summary
from watchbot.top.screen import Plain, live

WINDOW_S = 60  # rates and durations cover the last minute


def top(settings: TopSettings) -> int:
    """Shows the watchers until Ctrl-C, or once; returns the exit code."""
    on_terminal = sys.stdout.isatty() and not settings.once
    watch = _Watch(settings.url)
    with live() if on_terminal else nullcontext(Plain()) as screen:
        watch.look()
        try:
            while True:
                time.sleep(settings.interval)
                board = watch.look()
                screen.show(board)
                if settings.once:
                    return int(all(isinstance(said, str) for said in board.values()))
        except KeyboardInterrupt:
            return 0


class _Watch:
    """Watchers, and their readings of the last minute."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._readings: dict[str, deque[Reading]] = {url: deque() for url in urls}

    def look(self) -> dict[str, Summary | str]:
        """Reads every watcher; returns a summary or the reason for none, by URL."""
        with ThreadPoolExecutor(max_workers=min(len(self._readings), 32)) as pool:
            found = list(pool.map(fetch, self._readings))
        return {
            url: said if isinstance(said, str) else self._summary(readings, said)
            for (url, readings), said in zip(self._readings.items(), found, strict=True)
        }

    def _summary(self, readings: deque[Reading], last: Reading) -> Summary:
        readings.append(last)
        while len(readings) > 2 and last.at_s - readings[0].at_s > WINDOW_S:
            readings.popleft()
        return summary(readings[0], last)
