"""Opens the queues of a watcher, each in its own region and at its own server."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import anyio

from watchbot.aws import Client, open_client
from watchbot.errors import NotFound, SettingError
from watchbot.lifecycle import Stop
from watchbot.settings.base import AwsEndpoint, describe
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.queue import Queue, SqsQueue
from watchbot.sqs.reach import reach

CONNECTIONS = 50  # of a queue at once


async def open_queues(
    house: AsyncExitStack, settings: ListenSettings
) -> list[tuple[SqsQueue, int]]:
    """The queues and their weights, in order; queues of one region and server share a client."""
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
        (SqsQueue(clients[aws], queue.url, queue.name), queue.weight)
        for aws, queue in zip(near, settings.queues, strict=True)
    ]


async def reach_all(queues: Sequence[Queue], stop: Stop, give_up_s: float) -> bool:
    """Calls `reach` for each queue, all at once. Returns False if `stop` came first.

    Raises `SettingError`, in a group, for one that does not exist among several.
    """
    async with anyio.create_task_group() as looks:
        for queue in queues:
            looks.start_soon(_reach, queue, stop, give_up_s, len(queues) > 1)
    return not stop.draining.is_set()


async def _reach(queue: Queue, stop: Stop, give_up_s: float, is_one_of_several: bool) -> None:
    try:
        await reach(queue, stop, give_up_s)
    except* NotFound as missing:
        if not is_one_of_several:
            raise
        error = missing.exceptions[0]
        raise SettingError(describe("queue_url"), f"names {queue.name}: {error}") from None
