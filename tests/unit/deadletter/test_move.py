"""SQS's own task that moves messages: how it is started, watched and stopped."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from watchbot.aws import Client
from watchbot.deadletter.move import Move
from watchbot.errors import AwsError, WatchbotError
from watchbot.lifecycle import Stop

UNKNOWN: Any = {
    "Error": {"Code": "UnsupportedOperation", "Message": "no such action"},
    "ResponseMetadata": {"HTTPStatusCode": 400},
}


class Raw:
    """boto's client: a task that goes through `states`, and stays at the last one."""

    def __init__(self, *states: dict[str, Any], refusal: Exception | None = None) -> None:
        self._states = list(states)
        self._refusal = refusal
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def start_message_move_task(self, **parameters: Any) -> dict[str, Any]:
        self.calls.append(("start", parameters))
        if self._refusal:
            raise self._refusal
        return {"TaskHandle": "handle"}

    async def list_message_move_tasks(self, **parameters: Any) -> dict[str, Any]:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"Results": [state]}

    async def cancel_message_move_task(self, **parameters: Any) -> dict[str, Any]:
        self.calls.append(("cancel", parameters))
        return {}


def state(status: str, moved: int, **more: Any) -> dict[str, Any]:
    return {"Status": status, "ApproximateNumberOfMessagesMoved": moved, **more}


async def moved(raw: Raw, stop: Stop | None = None) -> tuple[int, Sequence[int]]:
    """How many were moved, and the steps in which that was told."""
    steps: list[int] = []
    move = Move(Client("sqs", raw), "arn:source", "arn:destination")
    assert await move.start() is None
    return await move.finish(stop or Stop(), steps.append), steps


@pytest.mark.jumping
async def test_task_is_watched_to_its_end() -> None:
    raw = Raw(state("RUNNING", 3), state("COMPLETED", 7))

    assert await moved(raw) == (7, [1] * 7)
    assert raw.calls == [
        ("start", {"SourceArn": "arn:source", "DestinationArn": "arn:destination"})
    ]


async def test_stop_cancels_the_task() -> None:
    raw, stop = Raw(state("RUNNING", 3)), Stop()
    stop.ask()

    assert (await moved(raw, stop))[0] == 3
    assert raw.calls[1:] == [("cancel", {"TaskHandle": "handle"})]


async def test_task_that_fails_says_why() -> None:
    raw = Raw(state("FAILED", 3, FailureReason="AccessDenied"))

    with pytest.raises(WatchbotError, match="after 3: AccessDenied; nothing is lost"):
        await moved(raw)


async def test_server_without_the_task_says_so() -> None:
    raw = Raw(refusal=ClientError(UNKNOWN, "StartMessageMoveTask"))

    refusal = await Move(Client("sqs", raw), "a", "b").start()

    assert isinstance(refusal, AwsError)
