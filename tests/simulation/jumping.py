"""An event loop whose clock jumps: where nothing is ready, it is at once the next moment."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Livelock(AssertionError):
    """The loop took more steps than any sound run needs, or nothing will ever happen again."""


class JumpingLoop(asyncio.BaseEventLoop):
    """Its `time` is in seconds from 0. Raises `Livelock` after `most` steps."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.steps, self._most, self._seconds = 0, most, 0.0
        self._selector = self  # the loop of asyncio asks it to wait

    def time(self) -> float:
        return self._seconds

    def select(self, timeout: float | None) -> list[Any]:
        self.steps += 1
        if timeout is None or self.steps > self._most:
            why = "nothing is left to wait for" if timeout is None else f"{self.steps} steps"
            raise Livelock(f"no livelock: {why} after {self._seconds:.1f} s")
        self._seconds += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """Has none: nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Has nobody to wake: there are no threads."""


def run(loop: JumpingLoop, story: Coroutine[Any, Any, Result]) -> Result:
    """What `story` returns, played on this loop, which is closed then."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(story)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
