"""Defines the seam between messages and processes: a runner runs the command for a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from watchbot.listen.control.asks import Asks
from watchbot.listen.report import Verdict
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One message of a batch, as a runner sees it.

    `withheld` returns why the message must not be handed to a process now (its lease is lost, the
    watcher leaves, or, on a FIFO queue, one before it goes back), or None. `left_s` returns the
    seconds until SQS ends the lease for good. `leave_seat` gives up the descriptors that are
    reserved for the message's process: call it right before the start, with no `await` in between.
    `tell` settles the message before its run ends; `run` returns the verdict all the same. `asks`
    has what the worker asks for while it runs.
    """

    message: Message
    content: Content
    withheld: Callable[[], str | None]
    left_s: Callable[[], float]
    leave_seat: Callable[[], None]
    tell: Callable[[Verdict], None]
    asks: Asks = field(default_factory=Asks)


class Runner(Protocol):
    """Runs the command. A runner does not know SQS, notices and metrics."""

    def __len__(self) -> int:
        """The number of runs under way."""

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        """Runs the command for a batch; returns one verdict for each of its messages, in order.

        `slot` is the number of a free worker. Raises `OSError` when the machine cannot start a
        process now: the messages are not to blame.
        """

    async def clear(self, slot: int) -> None:
        """Makes the slot ready for the next run. The watcher calls it after settling the batch."""

    def kill(self, message: Message) -> None:
        """Ends the run of this message, if there is one, because its lease is lost."""

    def release_all(self) -> None:
        """Ends all runs, SIGTERM first; their verdicts are RELEASED, whatever the exit codes."""
