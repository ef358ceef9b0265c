"""Runs a service under uvloop; the first signal drains it, and a second ends it at once.

`until` is for what a signal, or anything else that happens once, cuts short.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType

import anyio

from watchbot.errors import first_expected
from watchbot.logs.sink import stdout

_MACHINES = (signal.SIGTERM, signal.SIGQUIT)  # an image's STOPSIGNAL may be SIGQUIT
_ASKS = (*_MACHINES, signal.SIGINT)


class Stop:
    """The operator's wish to stop: `draining` after the first signal, `forced` after the second."""

    def __init__(self) -> None:
        self.draining = anyio.Event()
        self.forced = anyio.Event()
        self._asked = False

    def ask(self) -> None:
        """Asks for a drain; the second call asks for an end at once."""
        (self.forced if self._asked else self.draining).set()
        self._asked = True

    def hang_up(self) -> None:
        """Asks for a drain, and never for more, because a closed terminal sends SIGHUP twice."""
        self.draining.set()


class stop_on_signals:  # noqa: N801 - a verb in `with stop_on_signals() as stop`
    """While open, SIGTERM, SIGINT, SIGQUIT and SIGHUP ask the service to stop.

    SIGHUP does not if it was ignored at the start, as under `nohup`. Once closed, SIGTERM and
    SIGQUIT do nothing any more: the process is about to end, with the service's exit code.
    """

    def __enter__(self) -> Stop:
        stop = Stop()
        self._loop = asyncio.get_running_loop()
        self._handled = list(_ASKS)
        for number in _ASKS:
            self._loop.add_signal_handler(number, stop.ask)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            self._loop.add_signal_handler(signal.SIGHUP, stop.hang_up)
            self._handled.append(signal.SIGHUP)
        # In process 1 these signals were blocked until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_ASKS, signal.SIGHUP})
        return stop

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _MACHINES)  # the loop resets them to the default
        for number in self._handled:
            self._loop.remove_signal_handler(number)
        for number in _MACHINES:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _MACHINES)


@asynccontextmanager
async def until(event: anyio.Event) -> AsyncIterator[None]:
    """Cancels the block once `event` is set, and goes on behind it.

    Raises the block's errors in an exception group.
    """
    async with anyio.create_task_group() as heeding:
        heeding.start_soon(_cancel_on, event, heeding.cancel_scope)
        yield
        heeding.cancel_scope.cancel()


async def _cancel_on(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def run(service: Callable[[Stop], Awaitable[int]]) -> int:
    """Runs `service` until it returns its exit code.

    Raises the `WatchbotError` that ended the service, without the exception groups around it.
    """

    async def main() -> int:
        async with stdout.open():
            with stop_on_signals() as stop:
                return await service(stop)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main())
    except BaseExceptionGroup as group:
        expected = first_expected(group)
        if expected is None:
            raise
        raise expected from group


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:  # PyPy has no uvloop; asyncio's own loop works, too
        return None
    return uvloop.new_event_loop
