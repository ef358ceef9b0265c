"""Asks a source at most once in some seconds, however many pages want its answer."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from watchbot.errors import WatchbotError

AGE_S = 5.0  # a younger answer is shown without asking again
STALE_S = 60.0  # an older answer is not shown while a new one is awaited
PATIENCE_S = 2.0  # for a first answer; after that the page goes without

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A part of a page that cannot be shown, and the reason, in one line."""

    reason: str


class Fresh(Generic[Answer]):
    """The last answer of `ask`, asked anew in the background of `tasks` when it is old.

    A page gets an answer at once if there is one of the last minute, so a slow source delays no
    page. All who wait share one question.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Answer]],
        tasks: TaskGroup,
        *,
        age_s: float = AGE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._tasks, self._age_s, self._clock = ask, tasks, age_s, clock
        self._answer: Answer | Missing | None = None
        self._answered_at = 0.0
        self._asking: anyio.Event | None = None
        self._outdated = False  # what is asked now was begun before an action

    async def get(self) -> Answer | Missing:
        """The answer, or why there is none."""
        age_s = self._clock() - self._answered_at
        if self._answer is None or age_s >= self._age_s:
            self._begin()
        if self._answer is None or age_s >= STALE_S:
            with anyio.move_on_after(PATIENCE_S):
                await self._finished()
        return Missing(reason="no answer yet") if self._answer is None else self._answer

    def forget(self) -> None:
        """Drops the answer after an action: the next page waits for the new state."""
        self._answer = None
        self._outdated = self._asking is not None

    def _begin(self) -> None:
        if self._asking is None:
            self._asking = anyio.Event()
            self._tasks.start_soon(self._refresh, self._asking)

    async def _finished(self) -> None:
        if self._asking is not None:
            await self._asking.wait()

    async def _refresh(self, over: anyio.Event) -> None:
        try:
            answer = await self._answered()
            while self._outdated:
                self._outdated = False
                answer = await self._answered()
            self._answer = answer
        finally:
            self._answered_at = self._clock()
            self._asking = None
            over.set()

    async def _answered(self) -> Answer | Missing:
        try:
            return await self._ask()
        except WatchbotError as error:
            return Missing(reason=str(error))
        except Exception:  # a fault in one source must not end the console
            log.exception("source failed unexpectedly")
            return Missing(reason="a fault of the console; its log says which")
