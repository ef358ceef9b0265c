"""Queues under test: in memory, and over HTTP at moto and at our server."""

import base64
import functools
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tests.support.cloud import REGION, Cloud
from tests.support.sqs_server import running_sqs_server
from watchbot.aws import Client, open_client
from watchbot.settings.base import AwsEndpoint
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Attribute
from watchbot.sqs.queue import Queue, SqsQueue


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A queue under test, a way to send to it, and its dead-letter queue."""

    queue: Queue
    dead_letters: Queue
    send: Callable[..., Awaitable[str]]


MAX_RECEIVES = 2
Open = Callable[[str], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def in_memory(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    dead_letters = MemoryQueue(f"dead{suffix}")
    queue = MemoryQueue(f"queue{suffix}", dead_letter=dead_letters, max_receives=MAX_RECEIVES)

    async def send(body: str, **more: object) -> str:
        return queue.send(body, **more)  # type: ignore[arg-type]  # texts by name

    yield Bench(queue=queue, dead_letters=dead_letters, send=send)


@asynccontextmanager
async def at_moto(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    async with over_http(cloud.url, suffix) as bench:
        yield bench


@asynccontextmanager
async def at_our_server(cloud: Cloud, suffix: str) -> AsyncIterator[Bench]:
    async with running_sqs_server() as sqs, over_http(sqs.url, suffix) as bench:
        yield bench


@asynccontextmanager
async def over_http(endpoint_url: str, suffix: str) -> AsyncIterator[Bench]:
    aws = AwsEndpoint(region=REGION, endpoint_url=endpoint_url)
    async with open_client("sqs", aws, attempts=1, wait_s=20) as client:
        name = uuid.uuid4().hex
        kind = {"FifoQueue": "true"} if suffix else {}
        dead_letters = await create(client, f"{name}-dead{suffix}", **kind)
        redrive = json.dumps(
            {
                "deadLetterTargetArn": (await dead_letters.facts())["QueueArn"],
                "maxReceiveCount": MAX_RECEIVES,
            }
        )
        queue = await create(client, f"{name}{suffix}", RedrivePolicy=redrive, **kind)
        send = functools.partial(send_over_http, client, queue)
        yield Bench(queue=queue, dead_letters=dead_letters, send=send)


async def create(client: Client, name: str, **attributes: str) -> SqsQueue:
    answer = await client.call("create_queue", QueueName=name, Attributes=attributes)
    return SqsQueue(client, answer["QueueUrl"])


async def send_over_http(
    client: Client,
    queue: SqsQueue,
    body: str,
    *,
    attributes: Mapping[str, Attribute] | None = None,
    **more: str,
) -> str:
    parameters: dict[str, object] = {}
    if queue.fifo:
        parameters["MessageGroupId"] = more["group"]
        parameters["MessageDeduplicationId"] = more.get("MessageDeduplicationId", uuid.uuid4().hex)
    elif "group" in more:
        parameters["MessageGroupId"] = more["group"]
    if "AWSTraceHeader" in more:
        trace = {"DataType": "String", "StringValue": more["AWSTraceHeader"]}
        parameters["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    answer = await client.call(
        "send_message",
        QueueUrl=queue.url,
        MessageBody=body,
        MessageAttributes={key: on_the_wire(item) for key, item in (attributes or {}).items()},
        **parameters,
    )
    message_id: str = answer["MessageId"]
    return message_id


def on_the_wire(item: Attribute) -> dict[str, object]:
    if item.type.startswith("Binary"):
        return {"DataType": item.type, "BinaryValue": base64.b64decode(item.value)}
    return {"DataType": item.type, "StringValue": item.value}


async def take(queue: Queue, count: int = 10, *, wait_s: int = 0, hidden_s: int = 30) -> list[str]:
    return [message.body for message in await queue.receive(count, wait_s, hidden_s)]
