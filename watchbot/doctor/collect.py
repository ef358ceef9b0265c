"""Collects the facts: makes calls to AWS that change nothing, and looks at the machine."""

import contextlib
import os
import resource
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from watchbot.aws import Client, open_client
from watchbot.doctor.facts import Facts, MachineFacts, Probe
from watchbot.errors import AwsError, Denied, NotFound, Rejected
from watchbot.settings.doctor import DoctorSettings
from watchbot.settings.misspelt import unknown_variables
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_BATCH, Refusal, SqsQueue
from watchbot.sqs.redrive import redrive
from watchbot.world import now

Answer = TypeVar("Answer")
# With the permission, SQS refuses this receipt as invalid; without it, SQS denies the call.
_NOTHING = Message(id="watchbot-doctor", receipt="watchbot-doctor", body="", asked_at=now())


async def collect_all(settings: DoctorSettings) -> dict[str, Facts]:
    """The facts about each queue, by its name. A topic need feed one of several queues only.

    Raises `AwsError` when a queue does not exist, and when AWS does not answer.
    """
    found = {
        queue.name: await collect(settings.model_copy(update={"queue_url": (queue.url,)}))
        for queue in settings.queues
    }
    if any(_is_fed(facts) for facts in found.values()):
        for name, facts in found.items():
            if not _is_fed(facts):
                found[name] = replace(
                    facts, settings=facts.settings.model_copy(update={"topic": None})
                )
    return found


def _is_fed(facts: Facts) -> bool:
    return facts.queue.get("QueueArn") in (facts.subscribers or {})


async def collect(settings: DoctorSettings) -> Facts:
    """Collects all facts of the set-up, without receiving, changing or sending a message.

    `settings` name one queue. Raises `AwsError` when it does not exist, and when AWS does not
    answer.
    """
    tried = Tried()
    queue, dead_letters = await _ask_sqs(settings, tried)
    subscribers = await _ask_topic(settings, tried)
    await _ask_notification_topic(settings, tried)
    return Facts(
        settings=settings,
        machine=look_around(settings),
        queue=queue,
        dead_letters=dead_letters,
        subscribers=subscribers,
        answers=tried.answers,
        unknown_variables=unknown_variables(),
    )


class Tried:
    """AWS's answers to the probes."""

    def __init__(self) -> None:
        self.answers: dict[Probe, AwsError | None] = {}

    async def ask(self, probe: Probe, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer, or None if AWS refused for good. Raises `AwsError` for a passing error."""
        self.answers[probe] = None
        try:
            return await call()
        except (Denied, NotFound, Rejected) as refusal:
            self.answers[probe] = refusal
            return None


async def _ask_sqs(
    settings: DoctorSettings, tried: Tried
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    url = settings.queues[0].url
    aws = settings.aws.near(url)
    async with open_client("sqs", aws) as client:
        queue = SqsQueue(client, url)
        attributes = await tried.ask(Probe.READ_QUEUE, queue.facts) or {}
        refusal = tried.answers[Probe.READ_QUEUE]
        if isinstance(refusal, NotFound):
            raise refusal
        await tried.ask(Probe.READ_TAGS, queue.tags)
        await tried.ask(Probe.RECEIVE, lambda: _receive_nothing(client, url))
        await tried.ask(Probe.DELETE, lambda: _allowed(queue.delete([_NOTHING])))
        await tried.ask(Probe.HIDE, lambda: _allowed(queue.hide([(_NOTHING, 0)])))
        dead = redrive(attributes)
        await _ask_to_bury(settings, tried, dead.target_url(url) if dead else None)
        if dead is None:
            return attributes, {}
        dead_queue = SqsQueue(client, dead.target_url(url))
        return attributes, await tried.ask(Probe.READ_DEAD_LETTERS, dead_queue.facts) or {}


async def _ask_to_bury(settings: DoctorSettings, tried: Tried, named: str | None) -> None:
    url = settings.dead_letter_queue_url or named
    if settings.max_attempts and url is not None:
        async with open_client("sqs", settings.aws.near(url)) as client:
            await tried.ask(Probe.BURY, lambda: _send_nothing(client, url))


async def _send_nothing(client: Client, url: str) -> None:
    # Two errors, an empty body and a delay that is too long, so that no server sends the message.
    with contextlib.suppress(Rejected):
        await client.call("send_message", QueueUrl=url, MessageBody="", DelaySeconds=901)


async def _receive_nothing(client: Client, url: str) -> None:
    # More messages than SQS allows, so that SQS refuses; a server that accepts hides none.
    parameters = {"MaxNumberOfMessages": MAX_BATCH + 1, "VisibilityTimeout": 0}
    with contextlib.suppress(Rejected):
        await client.call("receive_message", QueueUrl=url, WaitTimeSeconds=0, **parameters)


async def _allowed(settling: Awaitable[Sequence[Refusal | None]]) -> None:
    """Raises `Denied` if AWS accepts the call but denies its entry."""
    for refusal in await settling:
        if refusal is not None and refusal.denied:
            raise Denied(service="SQS", operation="settle", code=refusal.code, text=refusal.text)


async def _ask_topic(settings: DoctorSettings, tried: Tried) -> Mapping[str, str] | None:
    topic = settings.topic
    if topic is None:
        return None
    async with open_client("sns", settings.aws.near(topic)) as client:
        return await tried.ask(Probe.READ_TOPIC, lambda: _subscribers(client, topic))


async def _subscribers(client: Client, topic: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    page: dict[str, Any] = {}
    while True:
        answer = await client.call("list_subscriptions_by_topic", TopicArn=topic, **page)
        for entry in answer.get("Subscriptions", ()):
            found[entry["Endpoint"]] = entry["SubscriptionArn"]
        if not answer.get("NextToken"):
            return found
        page = {"NextToken": answer["NextToken"]}


async def _ask_notification_topic(settings: DoctorSettings, tried: Tried) -> None:
    topic = settings.notification_topic
    if topic is None:
        return
    async with open_client("sns", settings.aws.near(topic)) as client:
        await tried.ask(Probe.NOTIFY, lambda: _publish_nothing(client, topic))


async def _publish_nothing(client: Client, topic: str) -> None:
    # SNS may refuse the wrong request before it looks for the topic.
    with contextlib.suppress(Denied):  # a watcher does not need this permission
        await client.call("get_topic_attributes", TopicArn=topic)
    try:
        # Two errors, an empty body and a long subject, so that no server sends the message.
        await client.call("publish", TopicArn=topic, Message="", Subject="x" * 101)
    except Rejected as refusal:
        if refusal.code not in {"InvalidParameter", "InvalidParameterException"}:
            raise


def look_around(settings: DoctorSettings) -> MachineFacts:
    """Collects the facts of this machine."""
    stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return MachineFacts(
        stack_bytes=None if stack == resource.RLIM_INFINITY else stack,
        variables_bytes=settings.variables_bytes,
        scratch_trouble=_scratch_trouble(),
        own_pid=os.getpid(),
        first_process=_first_process(),
        in_ecs=settings.in_ecs,
    )


def _scratch_trouble() -> str | None:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError as fault:
        return fault.strerror or str(fault)
    return None


def _first_process() -> str | None:
    try:
        return Path("/proc/1/comm").read_text().strip()
    except OSError:  # only Linux has /proc
        return None
