"""Reads watchers repeatedly, and shows their figures."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext

from watchbot.patience import SAID_AFTER_S, say_waiting
from watchbot.settings.top import TopSettings
from watchbot.top.fetch import fetch
from watchbot.top.reading import Reading, Summary, summary
from watchbot.top.screen import Plain, live

WINDOW_S = 60  # rates and durations cover the last minute


def top(settings: TopSettings) -> int:
    """Shows the watchers until Ctrl-C, or once; returns the exit code."""
    on_terminal = sys.stdout.isatty() and not settings.once
    watch = _Watch(settings.url, settings.watcher_token)
    with live() if on_terminal else nullcontext(Plain()) as screen:
        try:
            watch.look()
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

    def __init__(self, urls: Sequence[str], token: str | None) -> None:
        self._token = token
        self._readings: dict[str, deque[Reading]] = {url: deque() for url in urls}
        self._late: set[str] = set()  # said to be waited for

    def look(self) -> dict[str, Summary | str]:
        """Reads every watcher; returns a summary or the reason for none, by URL.

        A person is told once of a watcher that does not answer within 3 seconds.
        """
        with ThreadPoolExecutor(max_workers=min(len(self._readings), 32)) as pool:
            asked = {url: pool.submit(fetch, url, self._token) for url in self._readings}
            late = wait(asked.values(), SAID_AFTER_S).not_done
            waited_for = {url for url, answer in asked.items() if answer in late}
            for url in sorted(waited_for - self._late):
                say_waiting(url)
            self._late |= waited_for
        return {
            url: said if isinstance(said := asked[url].result(), str) else self._summary(each, said)
            for url, each in self._readings.items()
        }

    def _summary(self, readings: deque[Reading], last: Reading) -> Summary:
        readings.append(last)
        while len(readings) > 2 and last.at_s - readings[0].at_s > WINDOW_S:
            readings.popleft()
        return summary(readings[0], last)
