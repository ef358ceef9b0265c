"""A service's life: run under uvloop, stop on a signal, stop harder on a second one."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

import anyio

from watchbot.errors import WatchbotError
from watchbot.sink import stdout

if hasattr(time, "CLOCK_BOOTTIME"):

    def now() -> float:
        """Seconds that only go up, those included in which the machine slept.

        SQS's clocks run on while a laptop sleeps, so a lease must be counted with this one.
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:  # macOS: its monotonic clock stops in sleep, and a lease may be thought alive too long
    now = time.monotonic


class Stop:
    """What the operator asked for: `draining` at the first signal, `forced` at the second."""

    def __init__(self) -> None:
        self.draining = anyio.Event()
        self.forced = anyio.Event()

    def ask(self) -> None:
        """Asks for a drain; asked again, for an end at once."""
        (self.forced if self.draining.is_set() else self.draining).set()


class stop_on_signals:  # noqa: N801 - reads as a verb in `with stop_on_signals() as stop`
    """While open, SIGTERM and SIGINT ask the service to stop."""

    def __enter__(self) -> Stop:
        stop = Stop()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.ask)
        # As process 1 it was held back until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return stop

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)


def run(service: Callable[[Stop], Awaitable[int]]) -> int:
    """Runs `service` until it returns its exit code.

    Raises the `WatchbotError` that ended it, out of whatever task group it came through.
    """

    async def main() -> int:
        async with stdout.open():
            with stop_on_signals() as stop:
                return await service(stop)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main())
    except BaseExceptionGroup as group:
        expected = _first_expected(group)
        if expected is None:
            raise
        raise expected from group


def _first_expected(group: BaseExceptionGroup[BaseException]) -> WatchbotError | None:
    """The error that a person is told of; task groups wrap it as often as they are nested."""
    found = group.subgroup(WatchbotError)
    while isinstance(found, BaseExceptionGroup):
        inner = found.exceptions[0]
        if isinstance(inner, WatchbotError):
            return inner
        found = inner if isinstance(inner, BaseExceptionGroup) else None
    return None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:  # PyPy and the like have none; asyncio's own loop does the same work
        return None
    return uvloop.new_event_loop
