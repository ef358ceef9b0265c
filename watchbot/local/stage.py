"""Creates the resources of the embedded AWS: a topic, a queue that it feeds, notifications."""

import json
from dataclasses import dataclass

import anyio

from watchbot.aws import Client, open_client
from watchbot.logs.sink import stdout
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.queue import MAX_BATCH, SqsQueue

REGION = "us-east-1"
MAX_RECEIVES = 10  # after these, SQS moves a message to the dead-letter queue
POLL_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """URLs and ARNs of the resources."""

    endpoint_url: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str
    notification_topic_arn: str
    notification_queue_url: str


async def build(aws: AwsEndpoint, *, fifo: bool = False, raw: bool = False) -> Stage:
    """Creates all resources in an empty AWS.

    `raw`: the topic delivers to the queue without SNS's envelope, as Lambda functions that read
    queues expect.
    """
    suffix = ".fifo" if fifo else ""
    async with open_client("sqs", aws) as sqs, open_client("sns", aws) as sns:
        dead_letters, queue = await _queues(sqs, suffix)
        notices = await _queue(sqs, "watchbot-notifications", {})
        return Stage(
            endpoint_url=str(aws.endpoint_url),
            topic_arn=await _topic(sns, f"watchbot{suffix}", await _arn(sqs, queue), raw=raw),
            queue_url=queue,
            dead_letter_queue_url=dead_letters,
            notification_topic_arn=await _topic(
                sns, "watchbot-notifications", await _arn(sqs, notices)
            ),
            notification_queue_url=notices,
        )


async def print_notifications(aws: AwsEndpoint, stage: Stage, over: anyio.Event) -> None:
    """Prints the notices of the notification topic, until `over` is set and none is left."""
    async with open_client("sqs", aws, wait_s=POLL_S) as sqs:
        queue = SqsQueue(sqs, stage.notification_queue_url)
        while await _print_next(queue) or not over.is_set():
            pass


async def _print_next(queue: SqsQueue) -> int:
    messages = await queue.receive(MAX_BATCH, POLL_S, 30)
    for message in messages:
        notice = open_envelope(message)
        body = "".join(f"    {line}\n" for line in notice.body.rstrip("\n").split("\n"))
        stdout.write(f"--- notification: {notice.subject}\n{body}".encode(errors="replace"))
    if messages:
        await queue.delete(messages)
    return len(messages)


async def _queues(sqs: Client, suffix: str) -> tuple[str, str]:
    fifo = {"FifoQueue": "true"} if suffix else {}
    dead_letters = await _queue(sqs, f"watchbot-dead-letter{suffix}", fifo)
    redrive = {
        "deadLetterTargetArn": await _arn(sqs, dead_letters),
        "maxReceiveCount": MAX_RECEIVES,
    }
    policy = {**fifo, "RedrivePolicy": json.dumps(redrive)}
    return dead_letters, await _queue(sqs, f"watchbot{suffix}", policy)


async def _queue(sqs: Client, name: str, attributes: dict[str, str]) -> str:
    made = await sqs.call("create_queue", QueueName=name, Attributes=attributes)
    url: str = made["QueueUrl"]
    return url


async def _arn(sqs: Client, url: str) -> str:
    return (await SqsQueue(sqs, url).facts())["QueueArn"]


async def _topic(sns: Client, name: str, subscriber: str, *, raw: bool = False) -> str:
    attributes = {"FifoTopic": "true"} if is_fifo(name) else {}
    arn: str = (await sns.call("create_topic", Name=name, Attributes=attributes))["TopicArn"]
    await sns.call(
        "subscribe",
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=subscriber,
        Attributes={"RawMessageDelivery": "true"} if raw else {},
    )
    return arn
