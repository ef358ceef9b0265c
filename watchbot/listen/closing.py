"""Brings the messages of one batch to their ends, as their verdicts come."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from watchbot.listen.report import Report, Verdict
from watchbot.outcome import RELEASED

WENT_BACK = "one before it in its group went back"

Decide = Callable[[int, Verdict], Coroutine[None, None, Report]]
Settle = Callable[[int, Report], Coroutine[None, None, bool]]


class Closing:
    """The end of each message of a batch, by its number in there.

    Those of a FIFO batch end in order: once one of them goes back, or cannot be deleted, so do all
    that are behind it, whatever was said of them. `decide` makes a verdict a final report, and
    `settle` does what that says; it returns whether that was done.
    """

    def __init__(self, size: int, decide: Decide, settle: Settle, *, fifo: bool) -> None:
        self._size, self._decide, self._settle, self._fifo = size, decide, settle, fifo
        self._told: dict[int, Verdict] = {}  # of messages that are not at their ends yet
        self._next = 0  # the number of a FIFO batch that ends next
        self._gone_back = False
        self._ended = set[int]()
        self._works: anyio.Event | None = None  # set once all that is told is at its end
        self._fault: Exception | None = None

    @property
    def undecided(self) -> Mapping[int, Verdict | None]:
        """The messages whose fate is not decided, by number, with the verdicts of those told."""
        left = (number for number in range(self._size) if number not in self._ended)
        return {number: self._told.get(number) for number in left}

    def goes_back(self, number: int) -> bool:
        """Whether a message of a FIFO batch goes back, as one before it does."""
        told = (told for before, told in self._told.items() if before < number)
        return self._fifo and (self._gone_back or not all(each.outcome.removes for each in told))

    def tell(self, workers: TaskGroup, number: int, verdict: Verdict) -> None:
        """Takes the verdict of a message whose run goes on; it is brought to its end now."""
        self._told[number] = verdict
        if self._works is None:
            self._works = anyio.Event()
            workers.start_soon(self._work, self._works)

    async def end(self, verdicts: Sequence[Verdict]) -> None:
        """Takes the verdicts of all messages; returns when all are settled.

        Raises what `decide` has raised.
        """
        if self._size == 1:
            self._ended.add(0)
            await self._settle(0, await self._decide(0, verdicts[0]))
            return
        if self._works is not None:
            await self._works.wait()
        for number, verdict in enumerate(verdicts):
            if number not in self._ended:
                self._told[number] = verdict
        await self._work(anyio.Event())
        if self._fault is not None:
            raise self._fault

    async def _work(self, done: anyio.Event) -> None:
        try:
            while self._is_next_told:  # again, for what was told while others were settled
                async with anyio.create_task_group() as settling:
                    await self._bring_to_ends(settling)
        except Exception as fault:  # for the caller of `end` to hear
            self._fault = fault
        finally:
            self._works = None
            done.set()

    async def _bring_to_ends(self, settling: TaskGroup) -> None:
        while (number := self._next_number()) is not None:
            verdict = self._told.pop(number)
            self._ended.add(number)
            if self._gone_back:
                # Keeps the order: nothing behind a returned message is settled.
                verdict = replace(verdict, outcome=RELEASED, reason=WENT_BACK)
            report = await self._decide(number, verdict)
            if self._fifo:  # a delete that is tried again must not come after the next
                is_done = await self._settle(number, report)
                self._gone_back = not (is_done and report.outcome.removes)
            else:
                settling.start_soon(self._settle, number, report)

    @property
    def _is_next_told(self) -> bool:
        return self._next in self._told if self._fifo else bool(self._told)

    def _next_number(self) -> int | None:
        if not self._is_next_told:
            return None
        if not self._fifo:
            return next(iter(self._told))
        self._next += 1
        return self._next - 1
