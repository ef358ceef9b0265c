"""Reads the approximate numbers of messages that SQS counts for a queue."""

from collections.abc import Mapping

import anyio

from watchbot.errors import AwsError
from watchbot.sqs.queue import Queue

_STATES = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def counts(facts: Mapping[str, str]) -> dict[str, int]:
    """The number of messages by state, from a queue's attributes."""
    return {state: int(facts.get(name, 0)) for state, name in _STATES.items()}


async def left_in(queue: Queue, within_s: float) -> dict[str, object]:
    """Facts for the last log line: how many messages are left, or why that is unknown.

    Waits for the answer of the queue at most `within_s` seconds.
    """
    try:
        with anyio.fail_after(within_s):
            return {**counts(await queue.facts())}
    except AwsError as error:
        return {"left": f"unknown: {error.code}"}
    except TimeoutError:
        return {"left": "unknown: no answer in time"}
