"""The messages that a process works on: what it has said of them, and whose output it prints."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from watchbot.listen.care import Ending
from watchbot.listen.output import Output, Stream, finish
from watchbot.listen.report import Run, Verdict
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer
from watchbot.outcome import ExitCodes, Outcome


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
        self.verdicts: list[Verdict] = []
        self._shared = 0  # messages that are answered together, and have no verdict yet
        self._shared_tail: str | None = None  # what was printed while these were in hand

    @property
    def unanswered(self) -> Sequence[Job]:
        """The messages without a verdict, in order."""
        return self._batch[len(self.verdicts) :]

    @property
    def oldest(self) -> Job | None:
        """The first message without a verdict."""
        known = len(self.verdicts)
        return self._batch[known] if known < len(self._batch) else None

    async def begin(self) -> None:
        """Hears that the messages are about to be handed over."""
        await self._router.turn(self._output(self._batch[:1]))

    async def share(self, part: Sequence[Job]) -> None:
        """Hears that these are answered together: what is printed until then is about them all."""
        self._shared, self._shared_tail = len(part), None
        await self._router.turn(self._output(part))

    async def take(self, answers: Sequence[Answer]) -> None:
        """Takes answers in. What the process had printed before is heard already."""
        last = len(self.verdicts) + len(answers) == len(self._batch)
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
        job = self._batch[len(self.verdicts)]
        verdict = replace(verdict, tail=await self._tail() + detail)
        self.verdicts.append(verdict)
        if tell:
            job.tell(verdict)

    async def _tail(self) -> str:
        """The last that was printed about the next message without a verdict."""
        if not self._shared:
            following = self._batch[len(self.verdicts) + 1 : len(self.verdicts) + 2]
            return await self._router.turn(self._output(following) if following else None)
        if self._shared_tail is None:
            self._shared_tail = await self._router.turn(None)
        self._shared -= 1
        return self._shared_tail
