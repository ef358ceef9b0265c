"""Measures the queue's backlog for the metrics, in the background."""

import contextlib

import anyio

from watchbot import metrics
from watchbot.errors import AwsError
from watchbot.sqs.counts import counts
from watchbot.sqs.queue import Queue

MEASURE_S = 60  # SQS updates its own counts about once a minute


async def measure_for_ever(queue: Queue) -> None:
    """Asks the queue once a minute."""
    while True:
        with contextlib.suppress(AwsError):  # the client counts it; receives report lasting errors
            for state, count in counts(await queue.facts()).items():
                metrics.queue_messages.labels(state, queue.name).set(count)
        await anyio.sleep(MEASURE_S)
