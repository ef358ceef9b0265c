"""How many messages a queue has, as SQS counts them: about."""

from collections.abc import Mapping

from watchbot.errors import AwsError
from watchbot.sqs.queue import Queue

_STATES = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


def counts(facts: Mapping[str, str]) -> dict[str, int]:
    """The messages of a queue with these attributes, by their state."""
    return {state: int(facts.get(name, 0)) for state, name in _STATES.items()}


async def left_in(queue: Queue) -> dict[str, object]:
    """The facts of a last line: how many messages are left; or why nobody may know."""
    try:
        return {**counts(await queue.facts())}
    except AwsError as error:
        return {"left": f"unknown: {error.code}"}
