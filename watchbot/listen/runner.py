"""The seam between messages and processes: a runner runs the command for one or more messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchbot.listen.report import Verdict
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One message of a batch, as a runner sees it.

    `held` returns whether the message is still ours, `left_s` in how many seconds SQS ends its
    lease for good. `leave_seat` gives up the descriptors that are reserved for the message's
    process: to be called right before the start, with nothing that waits in between.
    """

    message: Message
    content: Content
    held: Callable[[], bool]
    left_s: Callable[[], float]
    leave_seat: Callable[[], None]


class Runner(Protocol):
    """Runs the command. It knows nothing of SQS, notices and metrics."""

    def __len__(self) -> int:
        """How many runs are under way."""

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        """Runs the command for a batch; returns one verdict for each of its messages, in order.

        `slot` is the number of a worker that is free now. Raises `OSError` when the machine cannot
        start a process now, which is no fault of the messages.
        """

    async def clear(self, slot: int) -> None:
        """Makes the slot ready for the next run. Called once its run's messages are settled."""

    def kill(self, message: Message) -> None:
        """Ends the run of this message, if it runs: its lease is lost."""

    def release_all(self) -> None:
        """Ends all runs, SIGTERM first: their messages are released, whatever the exit codes."""
