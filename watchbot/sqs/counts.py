"""Reads the approximate numbers of messages that SQS counts for a queue."""

from collections import Counter
from collections.abc import Mapping, Sequence

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


async def left_in(queues: Sequence[Queue], within_s: float) -> dict[str, object]:
    """Facts for the last log line: how many messages are left in all, or why that is unknown.

    Waits for the answers of the queues at most `within_s` seconds.
    """
    left = Counter[str](dict.fromkeys(_STATES, 0))
    try:
        with anyio.fail_after(within_s):
            for queue in queues:
                left.update(counts(await queue.facts()))
            return {**left}
    except AwsError as error:
        return {"left": f"unknown: {error.code}"}
    except TimeoutError:
        return {"left": "unknown: no answer in time"}
