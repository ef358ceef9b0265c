"""Keeps the open trays of all queues, and the orders on their letters."""

import time
from collections.abc import Callable, Sequence

import anyio
from anyio.abc import TaskGroup

from watchbot.console.audit import Audit
from watchbot.console.letters.tray import Tray
from watchbot.console.letters.work import Order, OrderProgress, carry_out
from watchbot.errors import UsageError
from watchbot.settings.base import AwsEndpoint

LOOK_S = 5  # between two looks for trays that nobody needs
KEPT_WORKS = 50


class Trays:
    """The trays by the URL of their dead-letter queue. Tasks run in `tasks`."""

    def __init__(
        self,
        aws: AwsEndpoint,
        audit: Audit,
        tasks: TaskGroup,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws, self._audit, self._tasks, self._clock = aws, audit, tasks, clock
        self._trays: dict[str, Tray] = {}
        self._works: dict[str, OrderProgress] = {}

    def of(self, url: str) -> Tray | None:
        """The tray of this queue, open or closed with a problem; or None."""
        return self._trays.get(url)

    def open(self, url: str) -> Tray:
        """The tray of this queue, opened if it is not. Walking goes on in the background."""
        known = self._trays.get(url)
        if known is not None and not known.ended.is_set():
            known.touch()
            return known
        tray = self._trays[url] = Tray(clock=self._clock)
        self._tasks.start_soon(self._run, url, tray)
        return tray

    @property
    def works(self) -> Sequence[OrderProgress]:
        """The last orders, the newest first."""
        return list(reversed(self._works.values()))

    def work(self, work_id: str) -> OrderProgress | None:
        """The order with this id, or None."""
        return self._works.get(work_id)

    def begin(self, url: str, order: Order) -> OrderProgress:
        """Begins an order on the letters of a queue. Raises `UsageError` if its tray is closed."""
        tray = self._trays.get(url)
        if tray is None or tray.closed:
            raise UsageError("the dead letters are closed; open them again")
        work = OrderProgress(order=order, total=len(order.ids))
        self._works[work.id] = work
        for old in [each.id for each in self._works.values() if each.over][:-KEPT_WORKS]:
            del self._works[old]
        self._tasks.start_soon(carry_out, work, tray, self._aws, self._audit)
        return work

    async def tidy_for_ever(self) -> None:
        """Closes trays that nobody has looked into for ten minutes."""
        while True:
            await anyio.sleep(LOOK_S)
            for tray in self._trays.values():
                if tray.is_over:
                    tray.close()

    async def close(self) -> None:
        """Gives all letters back."""
        for tray in self._trays.values():
            tray.close()
        for tray in list(self._trays.values()):
            await tray.ended.wait()

    async def _run(self, url: str, tray: Tray) -> None:
        await tray.run(url, self._aws)
        if not tray.problem and self._trays.get(url) is tray:
            del self._trays[url]
