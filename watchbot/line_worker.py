"""A worker in Python that is handed its messages as lines: `work`, or the loop over `messages`.

Under a watcher, with `--warm lines` or `--batch-size`, it answers on descriptor 3. Without one it
reads lines from standard input and prints its answers, so that it can be tried with `echo`. It
imports little: a worker starts fast.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Literal, TextIO

ANSWERS = 3  # the descriptor on which a watcher reads answers
MOST_REASON = 1_000  # characters of an exception that its answer has


class WatchbotReject(Exception):
    """To be raised by a worker: the message can never be done. It is deleted, and told of."""


class WatchbotReturn(Exception):
    """To be raised by a worker: the message goes back to the queue, and nobody is told.

    It comes again in `after` seconds; None: after a pause that grows with its receives.
    """

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after

    def __str__(self) -> str:
        """The reason, after the wish: a Lambda runtime passes on nothing else of an exception."""
        if self.after is None:
            return self.reason
        wish = f"retryAfter={max(0, self.after):g}"
        return f"{wish}: {self.reason}" if self.reason else wish


class WorkMessage:
    """A message to work on. `with message:` answers it at the end of the block.

    An exception in the block fails the message, and its traceback is printed. `fields` has all that
    the watcher handed over, by the names that a worker's variables have.
    """

    def __init__(self, fields: Mapping[str, Any], answers: _Answers) -> None:
        self.fields, self._answers = fields, answers
        self._is_answered = False

    @property
    def id(self) -> str:
        """The id that SQS gave it; empty where no watcher is."""
        return str(self.fields.get("MessageId", ""))

    @property
    def body(self) -> str:
        """Its text, read from `file` where it came in one. Raises `OSError` when that is gone."""
        if self.file is None:
            return str(self.fields.get("Message", ""))
        return self.file.read_bytes().decode(errors="surrogatepass")

    @property
    def file(self) -> Path | None:
        """The file with the body, where that is too long for a line, or is no text."""
        if "MessageFile" not in self.fields:
            return None
        from pathlib import Path

        return Path(self.fields["MessageFile"])

    @property
    def checkpoint(self) -> Path | None:
        """The file with the checkpoint that an earlier run of it stored, if one did."""
        if "checkpoint" not in self.fields:
            return None
        from pathlib import Path

        return Path(self.fields["checkpoint"])

    @property
    def subject(self) -> str:
        """The subject that it was published with; may be empty."""
        return str(self.fields.get("Subject", ""))

    @property
    def attributes(self) -> Mapping[str, str]:
        """Its message attributes by name, as texts; a binary one is in base64."""
        given = self.fields.get("MessageAttributes", {})
        return {name: str(attribute["Value"]) for name, attribute in given.items()}

    @property
    def receives(self) -> int:
        """How often it was received, this time included."""
        return int(self.fields.get("ApproximateReceiveCount", 1))

    @property
    def group(self) -> str | None:
        """Its message group, where it has one."""
        return self.fields.get("MessageGroupId")

    @property
    def queue_url(self) -> str | None:
        """The queue that it came from; None where no watcher is."""
        return self.fields.get("QueueUrl")

    @property
    def deadline(self) -> float:
        """When this process will be told to end, in seconds since 1970; infinite: never."""
        return float(self.fields.get("deadline", "inf"))

    def complete(self) -> None:
        """Answers that the message is done, unless it was answered."""
        self._answer({"exit": 0})

    def __enter__(self) -> WorkMessage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None:
            self.complete()
            return True
        if not isinstance(error, Exception):
            return False  # the process is to end, which fails the message
        if not isinstance(error, WatchbotReject | WatchbotReturn):
            import traceback

            traceback.print_exception(error)
        self._answer(_answer_for(error))
        return True

    def _answer(self, answer: dict[str, Any]) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._answers.give({**answer, "id": self.id})


class Messages:
    """Yields each message that comes, to `for` or `async for`, until there are no more.

    Asked for the next, it completes the one before, unless that was answered.
    """

    def __init__(self, lines: TextIO, answers: _Answers) -> None:
        self._lines, self._answers = lines, answers

    def __iter__(self) -> Iterator[WorkMessage]:
        while (message := self._next()) is not None:
            yield message
            message.complete()

    async def __aiter__(self) -> AsyncIterator[WorkMessage]:
        import asyncio

        while (message := await asyncio.to_thread(self._next)) is not None:
            yield message
            message.complete()

    def _next(self) -> WorkMessage | None:
        line = self._lines.readline()
        if not line:
            return None
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):  # typed by hand: the line is the body
            fields = {"Message": line.removesuffix("\n")}
        return WorkMessage(fields, self._answers)


class _Answers:
    """Gives answers to the watcher; prints them where there is none."""

    def __init__(self) -> None:
        self._file = 1
        if os.environ.get("WATCHBOT_BATCH"):
            try:
                os.fstat(ANSWERS)
                self._file = ANSWERS
            except OSError:  # the variable came from elsewhere
                pass

    def give(self, answer: dict[str, Any]) -> None:
        # What the work has printed belongs to this message: the watcher must find it first.
        sys.stdout.flush()
        sys.stderr.flush()
        rest = json.dumps(answer).encode() + b"\n"
        if answer["exit"] == 0:
            rest = b"0\n"
        while rest:
            rest = rest[os.write(self._file, rest) :]


def messages() -> Messages:
    """The messages that come, as an iterable for `for` and `async for`.

        for message in watchbot.messages():
            with message:
                resize(message.body)

    Without `with`, an exception ends the process: the watcher fails the message, and starts
    another.
    """
    # Standard input is not ours to close; and it is UTF-8, whatever the locale says.
    source = os.fdopen(0, encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False)
    return Messages(source, _Answers())


def work(function: Callable[[WorkMessage], Awaitable[object] | object]) -> None:
    """Calls a function, plain or async, with each message that comes; returns when none comes.

    When it returns, the message is completed. `watchbot.Reject` and `watchbot.Return` say
    otherwise; any other exception fails the message, and its traceback is printed.
    """
    runner: asyncio.Runner | None = None
    try:
        for message in messages():
            with message:
                done = function(message)
                if hasattr(done, "__await__"):
                    runner = runner or _runner()
                    runner.run(_await(done))
    finally:
        if runner is not None:
            runner.close()


def _runner() -> asyncio.Runner:
    import asyncio

    return asyncio.Runner()


async def _await(done: Awaitable[object]) -> None:
    await done


def _answer_for(error: Exception) -> dict[str, Any]:
    words = str(error)[:MOST_REASON]
    if isinstance(error, WatchbotReject):
        return {"exit": _code("REJECT", 3), "reason": words or "rejected"}
    if isinstance(error, WatchbotReturn):
        wish = {} if error.after is None else {"retryAfter": max(0, error.after)}
        reason = error.reason[:MOST_REASON] or "returned"
        return {"exit": _code("RETURN", 4), "reason": reason, **wish}
    return {"exit": 1, "reason": f"{type(error).__name__}: {words}"[:MOST_REASON]}


def _code(meaning: Literal["REJECT", "RETURN"], default: int) -> int:
    """The first exit code that the watcher takes so; 1 where it takes none so."""
    given = os.environ.get(f"WATCHBOT_{meaning}_CODES", str(default))
    first = given.split(",")[0].split("-")[0].strip()
    return int(first) if first.isdigit() else 1
