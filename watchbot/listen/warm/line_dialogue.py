"""The talk in lines: a message is a line on standard input, an answer a line on descriptor 3."""

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchbot.listen.runner import Job
from watchbot.listen.spawn import Channel
from watchbot.listen.warm.dialogue import Answer, BadAnswer, HungUp, Unasked
from watchbot.listen.warm.message_line import MOST_ANSWER_BYTES, encoded, message_line, read_answer

READ_BYTES = 65_536
UNASKED = "it answered where it had no message"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTerms:
    """What all dialogues of a watcher have in common.

    `max_line` is in bytes. `stays`: the end of the input asks the process to leave; else it is the
    end of its batch.
    """

    variables: Mapping[str, str]
    max_line: int
    stays: bool


class LineDialogue:
    """A `Dialogue` over two pipes."""

    together = False

    def __init__(self, terms: LineTerms, scratch: str) -> None:
        self._terms, self._scratch = terms, scratch
        self._loop = asyncio.get_running_loop()
        theirs, self._input = os.pipe()
        try:
            self._answers, answers = os.pipe()
        except OSError:
            os.close(theirs)
            os.close(self._input)
            raise
        self.channel: Channel | None = Channel(stdin=theirs, answers=answers)
        os.set_blocking(self._input, False)
        os.set_blocking(self._answers, False)
        self._unwritten = memoryview(b"")
        self._writes = self._reads = self._leaves = False
        self._input_open = True
        self._partial = b""
        self._awaited: deque[str] = deque()  # ids of the messages that it has not answered
        self._came: list[Answer] = []
        self._broken: BadAnswer | None = None
        self._heard = asyncio.Event()

    @property
    def variables(self) -> Mapping[str, str]:
        return self._terms.variables

    def started(self) -> None:
        self._close_theirs()
        if self._terms.stays:
            self._start_reading()

    async def ready(self) -> None:
        """Returns at once: a process that reads lines has no way to say that it will."""

    def fits(self, batch: Sequence[Job]) -> int:
        return len(batch)

    def hand(self, batch: Sequence[Job], deadline: float) -> None:
        self._refuse_unasked()
        terms = self._terms
        lines = [
            encoded(message_line(job, deadline), self._scratch, terms.max_line) for job in batch
        ]
        self._awaited.extend(job.message.id for job in batch)
        self._unwritten = memoryview(b"".join(lines))
        self._write()
        if self._broken is not None:  # it ended meanwhile
            self._awaited.clear()
            raise Unasked(str(self._broken))
        if not self._reads:  # a process that does not stay may answer before it reads
            self._start_reading()

    async def answers(self) -> Sequence[Answer]:
        while not self._came:
            if self._broken is not None:
                raise self._broken
            self._heard.clear()
            await self._heard.wait()
        return self._take()

    def rest(self) -> Sequence[Answer]:
        # Not for ever: something that it has started may write on.
        for _ in range(READ_BYTES):
            if not self._reads:
                break
            before = len(self._awaited)
            self._read()
            if len(self._awaited) == before:
                break
        return self._take()

    def overdue(self) -> None:
        pass  # what it answers before its end counts

    def leave(self) -> bool:
        self._leaves = True
        if not self._unwritten:
            self._close_input()
        return True

    async def close(self) -> None:
        self._close_theirs()
        self._close_input()
        self._stop_reading()
        os.close(self._answers)

    def _refuse_unasked(self) -> None:
        if self._reads:
            self._read()
        if self._broken is not None:
            raise Unasked(str(self._broken))
        if self._partial:
            raise Unasked(UNASKED)

    def _take(self) -> Sequence[Answer]:
        came, self._came = self._came, []
        return came

    def _read(self) -> None:
        try:
            data = os.read(self._answers, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._stop_reading()
            if self._terms.stays and not self._leaves:
                self._break(HungUp("it closed descriptor 3, on which it answers"))
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        try:
            self._hear(lines)
        except BadAnswer as bad:
            self._stop_reading()
            self._break(bad)
        if self._came:
            self._heard.set()

    def _hear(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if not self._awaited:
                raise BadAnswer(UNASKED)
            self._came.append(read_answer(line, self._awaited[0]))
            self._awaited.popleft()
        if len(self._partial) > MOST_ANSWER_BYTES:
            raise BadAnswer(f"its answer is longer than {MOST_ANSWER_BYTES:,} bytes")

    def _break(self, bad: BadAnswer) -> None:
        self._broken = bad
        self._heard.set()

    def _write(self) -> None:
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self._input, self._unwritten) :]
        except BlockingIOError:
            if not self._writes:
                self._writes = True
                self._loop.add_writer(self._input, self._write)
            return
        except OSError:  # it reads no more
            self._unwritten = memoryview(b"")
            self._close_input()
            if self._terms.stays and not self._leaves:
                self._break(HungUp("it closed its standard input, and reads no messages"))
            return
        self._stop_writing()
        if self._leaves:
            self._close_input()

    def _stop_writing(self) -> None:
        if self._writes:
            self._loop.remove_writer(self._input)
            self._writes = False

    def _start_reading(self) -> None:
        self._reads = True
        self._loop.add_reader(self._answers, self._read)

    def _stop_reading(self) -> None:
        if self._reads:
            self._loop.remove_reader(self._answers)
            self._reads = False

    def _close_input(self) -> None:
        if self._input_open:
            self._stop_writing()
            self._input_open = False
            os.close(self._input)

    def _close_theirs(self) -> None:
        channel, self.channel = self.channel, None
        if channel is not None:
            os.close(channel.stdin)
            os.close(channel.answers)


class LineTalk:
    """An `Opener` of dialogues in lines."""

    def __init__(self, terms: LineTerms) -> None:
        self._terms = terms

    async def __call__(self, worker: int, scratch: str) -> LineDialogue:
        return LineDialogue(self._terms, scratch)
