"""`watchbot local`: an embedded AWS, a queue and topics in it, and the same watcher on them."""

import json
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio

from watchbot.aws import Client, open_client
from watchbot.lifecycle import Stop
from watchbot.listen import spawn
from watchbot.listen.service import listen
from watchbot.local.server import running_server
from watchbot.progress.dynamodb import create_table
from watchbot.send.service import send
from watchbot.settings.base import Account, load
from watchbot.settings.listen import ListenSettings, WatcherSettings
from watchbot.settings.local import LocalSettings, hand_to_workers, point_at
from watchbot.settings.send import SendSettings
from watchbot.sink import stdout
from watchbot.sqs.message import open_envelope
from watchbot.sqs.queue import MAX_BATCH, SqsQueue

REGION = "us-east-1"
PROGRESS_TABLE = "watchbot-progress"
MAX_RECEIVES = 10  # then a message goes to the dead-letter queue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What has been made for the watcher in the embedded AWS."""

    endpoint_url: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str
    notification_topic_arn: str
    notification_queue_url: str


async def local(settings: LocalSettings, words: Sequence[str], stop: Stop) -> int:
    """Serves an AWS on loopback, publishes what was asked, and watches; the exit code."""
    spawn.resolve(words, shell=settings.shell)  # before anything is made
    async with AsyncExitStack() as house:
        url = house.enter_context(running_server(settings.port))
        account = Account(region=REGION, endpoint_url=url)
        point_at(account)
        sqs = await house.enter_async_context(open_client("sqs", account, wait_s=20))
        sns = await house.enter_async_context(open_client("sns", account))
        stage = await _build(sqs, sns, url, ".fifo" if settings.fifo else "")
        async with open_client("dynamodb", account) as dynamodb:
            await create_table(dynamodb, PROGRESS_TABLE)
        hand_to_workers(topic_arn=stage.topic_arn, progress_table=PROGRESS_TABLE)
        _print_guide(stage, fifo=settings.fifo)
        unsent = await _publish(settings, stage)
        notifications = SqsQueue(sqs, stage.notification_queue_url)
        async with anyio.create_task_group() as printing:
            over = anyio.Event()
            printing.start_soon(_print_notifications, notifications, over)
            code = await listen(_watcher(settings, stage), words, stop)
            over.set()
            if stop.draining.is_set():  # Ctrl-C leaves at once
                printing.cancel_scope.cancel()
    return code or unsent


def _watcher(settings: LocalSettings, stage: Stage) -> ListenSettings:
    watcher = {name: getattr(settings, name) for name in WatcherSettings.model_fields}
    given = {
        "queue_url": stage.queue_url,
        "notification_topic": stage.notification_topic_arn,
        "endpoint_url": stage.endpoint_url,
        "region": REGION,
    }
    return load(ListenSettings, {**watcher, **given})


async def _build(sqs: Client, sns: Client, url: str, suffix: str) -> Stage:
    fifo = {"FifoQueue": "true"} if suffix else {}
    dead_letter_url = await _queue(sqs, f"watchbot-dead-letter{suffix}", fifo)
    redrive = {
        "deadLetterTargetArn": await _arn(sqs, dead_letter_url),
        "maxReceiveCount": MAX_RECEIVES,
    }
    queue_url = await _queue(
        sqs, f"watchbot{suffix}", {**fifo, "RedrivePolicy": json.dumps(redrive)}
    )
    topic = await sns.call(
        "create_topic",
        Name=f"watchbot{suffix}",
        Attributes={"FifoTopic": "true"} if suffix else {},
    )
    notices = await sns.call("create_topic", Name="watchbot-notifications")
    notices_url = await _queue(sqs, "watchbot-notifications", {})
    for topic_arn, subscriber in (
        (topic["TopicArn"], queue_url),
        (notices["TopicArn"], notices_url),
    ):
        await sns.call(
            "subscribe",
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=await _arn(sqs, subscriber),
        )
    return Stage(
        endpoint_url=url,
        topic_arn=topic["TopicArn"],
        queue_url=queue_url,
        dead_letter_queue_url=dead_letter_url,
        notification_topic_arn=notices["TopicArn"],
        notification_queue_url=notices_url,
    )


async def _queue(sqs: Client, name: str, attributes: dict[str, str]) -> str:
    made = await sqs.call("create_queue", QueueName=name, Attributes=attributes)
    url: str = made["QueueUrl"]
    return url


async def _arn(sqs: Client, url: str) -> str:
    return (await SqsQueue(sqs, url).facts())["QueueArn"]


def _print_guide(stage: Stage, *, fifo: bool) -> None:
    group = " --message-group-id a --message-deduplication-id 1" if fifo else ""
    aws = f"aws --endpoint-url {stage.endpoint_url} --region {REGION}"
    guide = f"""\
An AWS of your own runs at {stage.endpoint_url}, in memory, until this ends.
  topic          {stage.topic_arn}
  queue          {stage.queue_url}
  dead letters   {stage.dead_letter_queue_url}
  notifications  {stage.notification_topic_arn}
Send messages from another terminal:
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  {aws} sns publish --topic-arn {stage.topic_arn} --message hello{group}
  {aws} sqs send-message --queue-url {stage.queue_url} --message-body hello{group}
Ctrl-C leaves.

"""
    stdout.write(guide.encode())


async def _publish(settings: LocalSettings, stage: Stage) -> int:
    """0 when all was published, else 1."""
    where: dict[str, object] = {
        "topic_arn": stage.topic_arn,
        "endpoint_url": stage.endpoint_url,
        "region": REGION,
        "group_id": "local" if settings.fifo else None,
    }
    bodies: list[dict[str, object]] = [{"body": body} for body in settings.send]
    if settings.send_file is not None:
        bodies.append({"file": str(settings.send_file)})
    codes = [await send(load(SendSettings, {**where, **what}), quiet=True) for what in bodies]
    return max(codes, default=0)


async def _print_notifications(queue: SqsQueue, over: anyio.Event) -> None:
    while await _print_next(queue, wait_s=1) or not over.is_set():
        pass


async def _print_next(queue: SqsQueue, *, wait_s: int) -> int:
    messages = await queue.receive(MAX_BATCH, wait_s, 30)
    for message in messages:
        notice = open_envelope(message)
        body = "".join(f"    {line}\n" for line in notice.body.rstrip("\n").split("\n"))
        stdout.write(f"--- notification: {notice.subject}\n{body}".encode(errors="replace"))
    if messages:
        await queue.delete(messages)
    return len(messages)
