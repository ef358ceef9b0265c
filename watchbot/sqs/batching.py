"""Gathers single requests into calls of ten, because SQS charges for calls, not for messages."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from watchbot.sqs.queue import MAX_BATCH

LINGER_S = 0.01

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")


class Batcher(Generic[Entry, Answer]):
    """Gathers the entries of many tasks into calls of up to ten entries.

    Sends a batch when it is full, when its first entry is 10 ms old, or as soon as `more` returns
    False: no further entry can come. Leaving the context sends the rest.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Entry]], Awaitable[Sequence[Answer]]],
        more: Callable[[], bool],
    ) -> None:
        self._call = call
        self._more = more
        self._waiting: list[tuple[Entry, asyncio.Future[Answer]]] = []
        self._timer: asyncio.TimerHandle | None = None
        # asyncio's task group, because anyio's cannot start a task from a timer's callback.
        self._calls = asyncio.TaskGroup()

    async def __aenter__(self) -> "Batcher[Entry, Answer]":
        await self._calls.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._send()
        await self._calls.__aexit__(kind, error, trace)

    async def submit(self, entry: Entry) -> Answer:
        """Returns the answer for this entry; raises the error of its batch's call."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answer))
        if len(self._waiting) >= MAX_BATCH:
            self._send()
        elif not self._more():
            # After this turn of the event loop, so that entries of other tasks come along.
            self._send_in(0)
        elif self._timer is None:
            self._send_in(LINGER_S)
        return await answer

    def _send_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        if batch:
            self._calls.create_task(self._send_batch(batch))

    async def _send_batch(self, batch: list[tuple[Entry, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._call([entry for entry, _ in batch])
        except Exception as error:  # every waiter gets the error; none may wait for ever
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for (_, waiter), answer in zip(batch, answers, strict=True):
                if not waiter.done():
                    waiter.set_result(answer)
        finally:
            for _, waiter in batch:
                waiter.cancel()  # a waiter with an answer ignores this
