"""Defines the queue that consumers use, and its implementation for SQS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from watchbot.aws import Client, is_denial
from watchbot.errors import AwsError, Unreachable
from watchbot.settings.whereabouts import is_fifo, queue_name
from watchbot.sqs.answers import EntryAnswer, facts_of, readable, tags_of, verdicts
from watchbot.sqs.message import Message, Origin
from watchbot.world import now

MAX_BATCH = 10  # entries of one SQS call
MAX_VISIBILITY_S = 43_200  # SQS hides a message for at most twelve hours from its receive

UNREADABLE_LOOKS = 3  # receives in a row that may bring only unreadable messages

_LOST = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "InvalidReceiptHandle",
    "NonExistentQueue",  # the message went with the queue
    "QueueDoesNotExist",
}
# SQS has no error code for a receipt that expired or was replaced, only these texts.
_DEAD = ("is not available for visibility timeout change", "receipt handle has expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reason why the queue refused one entry of a batch.

    `lost`: the receipt is invalid for good. `unanswered`: the queue may have done the action.
    `denied`: IAM denies the action.
    """

    code: str
    text: str
    unanswered: bool = False
    denied: bool = False

    @property
    def lost(self) -> bool:
        code = self.code.rpartition(".")[2]  # "AWS.SimpleQueueService.MessageNotInflight" of old
        dead = code == "InvalidParameterValue" and any(word in self.text for word in _DEAD)
        return code in _LOST or dead


_NO_ANSWER = Refusal(
    code="NoAnswer", text="the queue did not say what became of it", unanswered=True
)


class Queue(Protocol):
    """A queue of messages. Every call raises `AwsError` when it fails as a whole."""

    @property
    def name(self) -> str:
        """The name in logs and metrics: no other queue of this process has it."""
        ...

    @property
    def fifo(self) -> bool:
        """Whether the queue keeps the order within a message group."""
        ...

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        """Receives up to `count` (1 to 10) messages, hidden from others for `visibility_s`.

        Waits up to `wait_s` for the first message; empty if none came.
        """
        ...

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        """Deletes up to ten messages; returns None or a refusal for each, in order."""
        ...

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        """Hides up to ten messages, each for its number of seconds from now (0: visible at once).

        Returns None or a refusal for each, in order.
        """
        ...

    async def facts(self) -> Mapping[str, str]:
        """The queue's attributes, by their SQS names."""
        ...


class SqsQueue:
    """A queue of Amazon SQS, or of a server that speaks its protocol."""

    def __init__(self, client: Client, url: str, name: str | None = None) -> None:
        self.name, self.url = name or queue_name(url), url
        self._client = client

    @property
    def fifo(self) -> bool:
        # Only the name tells: messages of fair standard queues have group ids, too.
        return is_fifo(self.url)

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        for look in range(UNREADABLE_LOOKS):
            asked_at = now()
            answer = await self._client.call(
                "receive_message",
                QueueUrl=self.url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=min(wait_s, 1) if look else wait_s,
                VisibilityTimeout=visibility_s,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            raw = answer.get("Messages") or ()
            messages = readable(raw, asked_at, Origin(self.name, self.url))
            if messages or not raw:
                return messages
            # The unreadable messages are hidden now, and the queue may have readable ones.
        raise self._unheard("receive_message", "all that came are messages that cannot be read")

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        answer = await self._client.call(
            "delete_message_batch",
            QueueUrl=self.url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": message.receipt}
                for index, message in enumerate(messages)
            ],
        )
        return _refusals(len(messages), answer)

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        answer = await self._client.call(
            "change_message_visibility_batch",
            QueueUrl=self.url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
                for index, (message, seconds) in enumerate(changes)
            ],
        )
        return _refusals(len(changes), answer)

    async def facts(self) -> Mapping[str, str]:
        answer = await self._client.call(
            "get_queue_attributes", QueueUrl=self.url, AttributeNames=["All"]
        )
        facts = facts_of(answer)
        if not facts:
            raise self._unheard("get_queue_attributes", "the answer has no attributes")
        return facts

    async def tags(self) -> Mapping[str, str]:
        answer = await self._client.call("list_queue_tags", QueueUrl=self.url)
        return tags_of(answer)

    async def tag(self, tags: Mapping[str, str]) -> None:
        await self._client.call("tag_queue", QueueUrl=self.url, Tags=dict(tags))

    async def untag(self, names: Sequence[str]) -> None:
        await self._client.call("untag_queue", QueueUrl=self.url, TagKeys=list(names))

    def _unheard(self, operation: str, text: str) -> AwsError:
        return Unreachable(service="SQS", operation=operation, code="NoAnswer", text=text)


def _refusals(count: int, answer: Mapping[str, Any]) -> list[Refusal | None]:
    refusals: list[Refusal | None] = []
    for verdict in verdicts(count, answer):
        code = verdict.entry.get("Code") if verdict else None
        if verdict and verdict.done:
            refusals.append(None)
        elif isinstance(code, str) and code:
            refusals.append(Refusal(code=code, text=_words(verdict), denied=is_denial(code)))
        else:
            refusals.append(_NO_ANSWER)
    return refusals


def _words(verdict: EntryAnswer | None) -> str:
    return str((verdict and verdict.entry.get("Message")) or "")
