"""Defines the dialogue with a process that stays: it passes batches, and takes answers.

A dialogue is one protocol (lines, or the Runtime API of AWS Lambda). It knows no process, no lease
and no deadline: a runner starts and ends the process, and decides what an answer means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchbot.listen.runner import Job
from watchbot.listen.spawn import Channel
from watchbot.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A process's answer about one message.

    `exit_code` is judged as that of a process would be, unless `outcome` is given. `reason` has
    words for the notice and the log, `detail` more of them for the notice's tail, as a stack trace.
    `retry_after_s` is when the message is to come back, in seconds, if it does.
    """

    exit_code: int = 0
    outcome: Outcome | None = None
    reason: str | None = None
    detail: str = ""
    retry_after_s: float | None = None


class BadAnswer(Exception):
    """The process broke the protocol; its words are the reason for which its messages fail.

    The process is ended, and another takes its place.
    """


class Unasked(BadAnswer):
    """The process said something while it had no message: the next are for another one."""


class HungUp(BadAnswer):
    """The process closed its end. If it ends by itself right after, its end is the reason."""


class NotReady(Exception):
    """The process said that it cannot work, or did not ask for work in time; its words say so."""


class Dialogue(Protocol):
    """The talk with one process. One is opened for each process, before that is started.

    Every call is made by the event loop's thread.
    """

    @property
    def variables(self) -> Mapping[str, str]:
        """Variables that the process gets, over those of the watcher."""

    @property
    def channel(self) -> Channel | None:
        """The descriptors of the process; None: standard input is empty, and 3 is closed."""

    @property
    def together(self) -> bool:
        """Whether all messages of a hand-over are answered at once."""

    def started(self) -> None:
        """Hears that the process has been started, and has its ends of the channel."""

    async def ready(self) -> None:
        """Returns once the process takes work; at once where it has no way to say so.

        Raises `NotReady`. Cancelled when the process ends.
        """

    def fits(self, batch: Sequence[Job]) -> int:
        """How many of these messages, from the first, may be handed over at once; at least 1."""

    def hand(self, batch: Sequence[Job], deadline: float) -> None:
        """Hands messages to the process, which has answered all those before.

        `deadline` is when it will be told to end, in epoch seconds. Raises `Unasked` when it has
        said something in between, and `OSError` when the machine has no room for what it needs.
        """

    async def answers(self) -> Sequence[Answer]:
        """The next answers, at least one, in the order of the messages that were handed over.

        Raises `BadAnswer`. Cancelled when the process ends or is over its deadline.
        """

    def rest(self) -> Sequence[Answer]:
        """The answers that were not returned yet. Call it after the process has ended.

        Includes every answer that the process has finished, and never raises.
        """

    def overdue(self) -> None:
        """Hears that the process is over its deadline, and about to be told to end."""

    def leave(self) -> bool:
        """Asks the process to end by itself; False if the protocol has no such request.

        In that case the runner sends SIGTERM.
        """

    async def close(self) -> None:
        """Frees the resources of the dialogue, after the end of the process."""


class Opener(Protocol):
    """Opens the dialogue with a process that is about to be started."""

    async def __call__(self, worker: int, scratch: str) -> Dialogue:
        """`worker` is the process's number, from 0; `scratch` the directory that it may write to.

        Raises `OSError` when the machine has no room for it.
        """
