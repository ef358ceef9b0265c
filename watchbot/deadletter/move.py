"""SQS's message move task, which some servers lack."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from watchbot.aws import Client
from watchbot.errors import AwsError, NotConfigured, Unreachable, WatchbotError
from watchbot.lifecycle import Stop

FIRST_LOOK_S = 0.1
LAST_LOOK_S = 2.0


class Move:
    """A task that moves all messages of one queue to another, by their ARNs."""

    def __init__(self, sqs: Client, source_arn: str, destination_arn: str) -> None:
        self._sqs, self._source, self._destination = sqs, source_arn, destination_arn
        self._handle = ""

    async def start(self) -> AwsError | None:
        """Starts the task; returns the server's error if it refuses, else None.

        Raises `AwsError` when no server answers.
        """
        try:
            answer = await self._sqs.call(
                "start_message_move_task",
                SourceArn=self._source,
                DestinationArn=self._destination,
            )
        except (Unreachable, NotConfigured):
            raise
        except AwsError as error:
            return error
        self._handle = answer["TaskHandle"]
        return None

    async def finish(self, stop: Stop, advance: Callable[[int], None]) -> int:
        """Waits for the task; returns the number of moved messages. A stop cancels the task.

        Raises `WatchbotError` when SQS gives up.
        """
        moved, pause_s = 0, FIRST_LOOK_S
        while True:
            task = await self._state()
            count = int(task.get("ApproximateNumberOfMessagesMoved", 0))
            for _ in range(count - moved):
                advance(1)
            moved = count
            if task.get("Status") not in ("RUNNING", "CANCELLING"):
                return _conclude(task, moved)
            with anyio.move_on_after(pause_s):
                await stop.draining.wait()
            if stop.draining.is_set():
                await self._sqs.call("cancel_message_move_task", TaskHandle=self._handle)
                return moved
            pause_s = min(2 * pause_s, LAST_LOOK_S)

    async def _state(self) -> Mapping[str, Any]:
        answer = await self._sqs.call("list_message_move_tasks", SourceArn=self._source)
        results: list[Mapping[str, Any]] = answer.get("Results", [])
        return results[0] if results else {}  # the newest comes first


def _conclude(task: Mapping[str, Any], moved: int) -> int:
    if task.get("Status") == "FAILED":
        reason = task.get("FailureReason") or "no reason given"
        raise WatchbotError(
            f"SQS stopped moving messages after {moved}: {reason}; nothing is lost, run it again"
        )
    return moved
