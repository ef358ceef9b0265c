"""Opens the queues of a watcher, each in its own region and at its own server."""

from contextlib import AsyncExitStack

from watchbot.aws import Client, open_client
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.queue import SqsQueue

CONNECTIONS = 50  # of a queue at once


async def open_queues(house: AsyncExitStack, settings: ListenSettings) -> list[Weighted]:
    """The queues in the order of the settings; queues of one region and server share a client."""
    near = [settings.aws.near(queue.url) for queue in settings.queues]
    clients: dict[AwsEndpoint, Client] = {}
    for aws in dict.fromkeys(near):
        # One attempt: leases and intake retry themselves, within the lease.
        opening = open_client(
            "sqs",
            aws,
            attempts=1,
            wait_s=settings.poll_wait,
            connections=CONNECTIONS * near.count(aws),
        )
        clients[aws] = await house.enter_async_context(opening)
    return [
        Weighted(SqsQueue(clients[aws], queue.url, queue.name), queue.weight)
        for aws, queue in zip(near, settings.queues, strict=True)
    ]
