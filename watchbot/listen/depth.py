"""How many messages are in the queue: measured for the metrics, in the background."""

import contextlib

import anyio

from watchbot import metrics
from watchbot.errors import AwsError
from watchbot.sqs.counts import counts
from watchbot.sqs.queue import Queue

MEASURE_S = 60  # SQS itself knows no better than to a minute


async def measure_for_ever(queue: Queue) -> None:
    """Asks the queue once a minute."""
    while True:
        with contextlib.suppress(AwsError):  # counted as a call; receives tell of what lasts
            for state, count in counts(await queue.facts()).items():
                metrics.queue_messages.labels(state).set(count)
        await anyio.sleep(MEASURE_S)
