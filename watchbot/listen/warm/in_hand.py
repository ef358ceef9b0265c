"""The messages that a process works on: what it has said of them, and whose output it prints."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from watchbot.listen.care import Ending
from watchbot.listen.output import Output, Stream, finish
from watchbot.listen.report import Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer
from watchbot.outcome import RELEASED, ExitCodes, Outcome


class Router:
    """Takes what a process prints to the output of the message that it works on, or to its own."""

    def __init__(self, own: Output) -> None:
        self._own = self.current = own

    @property
    def full(self) -> bool:
        return self.current.full

    def feed(self, stream: Stream, data: bytes) -> None:
        self.current.feed(stream, data)

    def when_room(self, callback: Callable[[], None]) -> None:
        self.current.when_room(callback)

    async def turn(self, output: Output | None) -> str:
        """Finishes the output that was current; returns its tail. None: now it is the process's."""
        before, self.current = self.current, output or self._own
        await finish(before)
        return before.tail


class InHand:
    """A batch in the hands of one process. Answers come in the order of its messages.

    A message is told as soon as its answer is known, but for those that end the batch: the caller
    of the runner gets them a moment later, all together. `output` makes what hears the process
    while it works on these messages.
    """

    def __init__(
        self,
        batch: Sequence[Job],
        router: Router,
        output: Callable[[Sequence[Job]], Output],
        ran: Callable[[], Run],
        codes: ExitCodes,
    ) -> None:
        self._batch, self._router, self._output = batch, router, output
        self._ran, self._codes = ran, codes
        self._verdicts: dict[int, Verdict] = {}  # by number
        self._open = deque(range(len(batch)))  # the numbers without a verdict, in order
        self._shared = 0  # messages that are answered together, and have no verdict yet
        self._shared_tail: str | None = None  # what was printed while these were in hand

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts so far, in the order of the messages."""
        return [self._verdicts[number] for number in sorted(self._verdicts)]

    @property
    def left(self) -> int:
        """How many messages have no verdict."""
        return len(self._open)

    @property
    def oldest(self) -> Job | None:
        """The first message without a verdict."""
        return self._batch[self._open[0]] if self._open else None

    @property
    def unanswered(self) -> Sequence[Job]:
        """The messages without a verdict, in order."""
        return [self._batch[number] for number in self._open]

    def to_hand_over(self) -> Sequence[Job]:
        """The messages without a verdict, in order, that may be handed over; releases the others.

        A lease may be lost while a process gets ready, or works on those before.
        """
        for number in list(self._open):
            if why := self._batch[number].withheld():
                self._open.remove(number)
                self._verdicts[number] = Verdict(outcome=RELEASED, reason=why)
        return self.unanswered

    async def begin(self) -> None:
        """Hears that the messages without a verdict are about to be handed over."""
        await self._router.turn(self._output([self._batch[self._open[0]]]))

    async def share(self, part: Sequence[Job]) -> None:
        """Hears that these are answered together: what is printed until then is about them all."""
        self._shared, self._shared_tail = len(part), None
        await self._router.turn(self._output(part))

    async def take(self, answers: Sequence[Answer]) -> None:
        """Takes answers in. What the process had printed before is heard already."""
        last = len(answers) == len(self._open)
        for answer in answers:
            await self._settle(self._verdict(answer), answer.detail, tell=not last)

    async def close(
        self, outcome: Outcome, *, ending: Ending | None = None, reason: str | None = None
    ) -> None:
        """Gives this verdict to all messages that have none."""
        verdict = Verdict(outcome=outcome, ending=ending, reason=reason, run=self._ran())
        while self.oldest is not None:
            await self._settle(verdict, "", tell=False)

    def _verdict(self, answer: Answer) -> Verdict:
        return Verdict(
            outcome=answer.outcome or self._codes.outcome(answer.exit_code),
            ending=Ending(exit_code=answer.exit_code),
            reason=answer.reason,
            run=self._ran(),
            retry_after_s=answer.retry_after_s,
        )

    async def _settle(self, verdict: Verdict, detail: str, *, tell: bool) -> None:
        verdict = replace(verdict, tail=await self._tail() + detail)
        number = self._open.popleft()
        self._verdicts[number] = verdict
        if tell:
            self._batch[number].tell(verdict)

    async def _tail(self) -> str:
        """The last that was printed about the next message without a verdict."""
        if not self._shared:
            following = self._batch[self._open[1]] if len(self._open) > 1 else None
            return await self._router.turn(self._output([following]) if following else None)
        if self._shared_tail is None:
            self._shared_tail = await self._router.turn(None)
        self._shared -= 1
        return self._shared_tail
