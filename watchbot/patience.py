"""Limits how long a tool waits for an answer, and tells the person meanwhile.

The loops of a service decide themselves how long to wait. A person waits for a tool: after 3
seconds the tool prints what it waits for, and after 20 seconds without an answer it gives up.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TextIO, TypeVar

SAID_AFTER_S = 3
GIVEN_UP_AFTER_S = 20  # two tries of ten seconds

Answer = TypeVar("Answer")


def say_waiting(what: str, err: TextIO | None = None) -> None:
    """Tells the person on standard error what a tool waits for."""
    print(f"watchbot: waiting for {what}", file=err or sys.stderr, flush=True)


class NoAnswerInTime(Exception):
    """No answer came within a tool's patience."""


class Waiting(Protocol):
    """Waits for answers."""

    async def answer(
        self, what: str, ask: Callable[[], Awaitable[Answer]], *, held_s: float = 0
    ) -> Answer:
        """Returns the answer of `ask`.

        `what` names the call for the person. A long poll may take `held_s` longer.
        """
        ...


class Endless:
    """Waits as a service: prints nothing, and never gives up."""

    async def answer(
        self, what: str, ask: Callable[[], Awaitable[Answer]], *, held_s: float = 0
    ) -> Answer:
        return await ask()


class Patience:
    """Waits as a tool. Several tries in a row without an answer share one time limit."""

    def __init__(
        self,
        *,
        err: TextIO | None = None,
        said_after_s: float = SAID_AFTER_S,
        given_up_after_s: float = GIVEN_UP_AFTER_S,
    ) -> None:
        self._err, self._said_after_s = err, said_after_s
        self._given_up_after_s = given_up_after_s
        self._silent_since: float | None = None
        self._said = False

    async def answer(
        self, what: str, ask: Callable[[], Awaitable[Answer]], *, held_s: float = 0
    ) -> Answer:
        """Returns the answer of `ask`. Raises `NoAnswerInTime` when none comes."""
        loop, began = asyncio.get_running_loop(), time.monotonic()
        since = self._silent_since
        if since is None or began - since >= self._given_up_after_s:
            since = self._silent_since = began
        passed_s = began - since - held_s
        words = loop.call_later(max(0, self._said_after_s - passed_s), self._say, what)
        limit = asyncio.timeout(self._given_up_after_s - passed_s)
        try:
            async with limit:
                answer = await ask()
        except TimeoutError:
            if not limit.expired():
                raise
            raise NoAnswerInTime(f"no answer in {self._given_up_after_s:g} s") from None
        finally:
            words.cancel()
        self._silent_since, self._said = None, False
        return answer

    def _say(self, what: str) -> None:
        if not self._said:
            self._said = True
            say_waiting(what, self._err)


_ENDLESS = Endless()
_current: ContextVar[Waiting] = ContextVar("patience", default=_ENDLESS)


def waiting() -> Waiting:
    """The way in which the running command waits for answers."""
    return _current.get()


@contextmanager
def patience(way: Waiting | None = None) -> Iterator[None]:
    """Makes all calls inside the block wait as a tool does."""
    token = _current.set(way or Patience())
    try:
        yield
    finally:
        _current.reset(token)
