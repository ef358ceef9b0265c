"""Sends messages to a topic or a queue, up to ten messages a call."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from watchbot.aws import Client, open_client
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.answers import EntryAnswer, verdicts
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, Unsent, decoded, is_binary

Result = str | Unsent  # the id of a sent message, or the reason why it was not sent

_NO_ANSWER = Unsent(code="NoAnswer", text="AWS did not say what became of it", passing=True)
_PASSING = {"InternalError", "InternalFailure", "InternalErrorException", "ServiceUnavailable"}


class Destination(Protocol):
    """A topic or queue that takes messages."""

    @property
    def fifo(self) -> bool:
        """Whether the destination keeps the order within a message group."""
        ...

    def fit(self, message: Outgoing) -> Outgoing:
        """The message in the form that this destination takes."""
        ...

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        """Sends up to ten messages of `fit`; returns a result for each, in order.

        Raises `AwsError` when the call fails as a whole.
        """
        ...


class TopicDestination:
    """An SNS topic."""

    def __init__(self, client: Client, arn: str) -> None:
        self._client, self._arn = client, arn

    @property
    def fifo(self) -> bool:
        return is_fifo(self._arn)

    def fit(self, message: Outgoing) -> Outgoing:
        return message

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        entries = [
            {"Message": message.body, **_subject(message), **_common(index, message)}
            for index, message in enumerate(messages)
        ]
        answer = await self._client.call(
            "publish_batch", TopicArn=self._arn, PublishBatchRequestEntries=entries
        )
        return _results(len(messages), answer)


class QueueDestination:
    """An SQS queue. A subject goes into an envelope, because SQS messages have no subject.

    `watchbot.sqs.envelope.open_envelope` and ecs-watchbot open this envelope.
    """

    def __init__(self, client: Client, url: str) -> None:
        self._client, self._url = client, url

    @property
    def fifo(self) -> bool:
        return is_fifo(self._url)

    def fit(self, message: Outgoing) -> Outgoing:
        return in_envelope(message)

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        entries = [
            {
                "MessageBody": message.body,
                **_delay(message),
                **_trace(message),
                **_common(index, message),
            }
            for index, message in enumerate(messages)
        ]
        answer = await self._client.call("send_message_batch", QueueUrl=self._url, Entries=entries)
        return _results(len(messages), answer)


@asynccontextmanager
async def open_destination(address: str, aws: AwsEndpoint) -> AsyncIterator[Destination]:
    """Opens the topic or queue whose ARN or URL is `address`, in its region."""
    topic = address.startswith("arn:")
    # One attempt: `Publisher` retries, and chooses the messages and pauses itself.
    async with open_client("sns" if topic else "sqs", aws.near(address), attempts=1) as client:
        yield TopicDestination(client, address) if topic else QueueDestination(client, address)


def in_envelope(message: Outgoing) -> Outgoing:
    """The message in the form for a queue: with its subject, if it has one, in an envelope."""
    if not message.subject:
        return message
    envelope = {"Subject": message.subject, "Message": message.body}
    return replace(message, subject=None, body=json.dumps(envelope, ensure_ascii=False))


def passes(code: str) -> bool:
    """Whether an error with this code passes by itself."""
    return code in _PASSING or "throttl" in code.lower()


def _common(index: int, message: Outgoing) -> dict[str, Any]:
    given = {
        "MessageAttributes": {
            name: _attribute(attribute) for name, attribute in message.attributes.items()
        },
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.dedup_id,
    }
    return {"Id": str(index), **{name: value for name, value in given.items() if value}}


def _attribute(attribute: Attribute) -> dict[str, Any]:
    if is_binary(attribute):
        return {"DataType": attribute.type, "BinaryValue": decoded(attribute)}
    return {"DataType": attribute.type, "StringValue": attribute.value}


def _trace(message: Outgoing) -> dict[str, Any]:
    if not message.trace_header:
        return {}
    header = {"DataType": "String", "StringValue": message.trace_header}
    return {"MessageSystemAttributes": {"AWSTraceHeader": header}}


def _delay(message: Outgoing) -> dict[str, int]:
    # 0 says something, too: no delay, whatever the queue has.
    return {} if message.delay_s is None else {"DelaySeconds": message.delay_s}


def _subject(message: Outgoing) -> dict[str, str]:
    return {"Subject": message.subject} if message.subject else {}


def _results(count: int, answer: Mapping[str, Any]) -> list[Result]:
    return [_result(verdict) for verdict in verdicts(count, answer)]


def _result(verdict: EntryAnswer | None) -> Result:
    given = verdict.entry.get("MessageId" if verdict.done else "Code") if verdict else None
    if verdict is None or not isinstance(given, str) or not given:
        return _NO_ANSWER
    if verdict.done:
        return given
    return Unsent(
        code=given,
        text=" ".join(str(verdict.entry.get("Message") or "").split()),
        passing=not verdict.entry.get("SenderFault", False) or passes(given),
    )
