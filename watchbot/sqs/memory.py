"""Keeps a queue in memory with the semantics of SQS, for tests and for a consumer without AWS."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from watchbot.errors import Rejected
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.backlog import Backlog, QueuedMessage, State
from watchbot.sqs.message import Attribute, Message, Origin
from watchbot.sqs.outgoing import Outgoing, flaw
from watchbot.sqs.queue import MAX_BATCH, MAX_VISIBILITY_S, Refusal
from watchbot.world import REAL, World

DEDUPLICATION_S = 300
MAX_WAIT_S = 20
MAX_HIDDEN = 120_000
SOURCE = "DeadLetterQueueSourceArn"

BAD_VALUE = "InvalidParameterValue"
GARBAGE = Refusal(code="ReceiptHandleIsInvalid", text="this is no receipt of this queue")
NOT_IN_FLIGHT = Refusal(code="MessageNotInflight", text="the message is not in flight")
EXPIRED = Refusal(code=BAD_VALUE, text="The receipt handle has expired")
TOO_LONG = Refusal(code=BAD_VALUE, text="a message is hidden for 12 hours from its receive at most")
NO_TIME = Refusal(code=BAD_VALUE, text="a message is hidden for 0 to 43200 seconds")


@dataclass(slots=True, kw_only=True)
class _Record:
    """One message and its metadata in the queue."""

    id: str
    body: str
    attributes: Mapping[str, Attribute]
    system: dict[str, str] = field(default_factory=dict)
    receives: int = 0


class MemoryQueue:
    """A `Queue` that lives in this process, standard or FIFO (by its name).

    Call `wake` after a jump of the world's clock. As SQS does, a receive moves a message to
    `dead_letter` instead of delivering it more than `max_receives` times. `visibility_s` is only
    the queue's attribute: each receive has its own value. At most `max_hidden` messages are hidden
    at once.
    """

    def __init__(
        self,
        name: str = "memory",
        *,
        dead_letter: "MemoryQueue | None" = None,
        max_receives: int = 10,
        visibility_s: int = 30,
        world: World = REAL,
    ) -> None:
        self.name, self.url = name, f"http://memory/123456789012/{name}"
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        self.dead_letter, self.max_receives = dead_letter, max_receives
        self.visibility_s = visibility_s
        self.max_hidden = MAX_HIDDEN
        self._world, self._clock = world, world.now
        self._backlog: Backlog[_Record] = Backlog(world.now)
        self._recent: dict[str, tuple[float, str]] = {}  # by deduplication id, the oldest first
        self._numbers: dict[str, str] = {}  # sequence numbers of recent messages, by message id
        self._news = asyncio.Event()
        self._tags: dict[str, str] = {}

    @property
    def fifo(self) -> bool:
        return is_fifo(self.name)

    @property
    def waiting(self) -> int:
        """The number of visible messages."""
        return self._backlog.count(State.WAITING)

    def send(
        self,
        body: str,
        *,
        delay_s: float = 0,
        attributes: Mapping[str, Attribute] | None = None,
        group: str | None = None,
        **system: str,
    ) -> str:
        """Sends a message; returns its id, or the id of its duplicate (FIFO, 5 minutes).

        A FIFO queue needs a `group`. There, equal bodies are duplicates unless they have different
        values of `MessageDeduplicationId`. `system` sets SQS's own attributes by their SQS names,
        for example `AWSTraceHeader`. Raises `Rejected` where SQS would refuse the message.
        """
        self._check(body, group, attributes or {})
        record = _Record(
            id=str(uuid.UUID(int=self._world.chance.getrandbits(128), version=4)),
            body=body,
            attributes=attributes or {},
            system={"SentTimestamp": self._milliseconds(), **system},
        )
        if group is not None:
            record.system["MessageGroupId"] = group
        if self.fifo:
            key = system.get("MessageDeduplicationId") or _digest(body)
            record.system["MessageDeduplicationId"] = key
            first = self._first_of(key, record.id)
            if first != record.id:
                return first
        self._put(record, delay_s)
        if self.fifo:
            self._numbers[record.id] = record.system["SequenceNumber"]
        return record.id

    def sequence_number(self, message_id: str) -> str | None:
        """The number that a FIFO queue gave a message within 5 minutes; else None."""
        return self._numbers.get(message_id)

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        if not 1 <= count <= MAX_BATCH:
            raise _rejected("receive", "ReadCountOutOfRange", "1 to 10 messages can be received")
        if not (0 <= wait_s <= MAX_WAIT_S and 0 <= visibility_s <= MAX_VISIBILITY_S):
            raise _rejected("receive", BAD_VALUE, "the wait or the timeout is wrong")
        asked_at = self._clock()
        ends = self._clock() + wait_s
        while True:
            room = self.max_hidden - self._backlog.count(State.OUT)
            if room <= 0 and wait_s == 0 and not self.fifo:  # else SQS returns no message
                raise _rejected("receive", "OverLimit", f"{self.max_hidden} messages are hidden")
            taken = self._take(min(count, room), visibility_s, asked_at)
            left_s = ends - self._clock()
            if taken or left_s <= 0:
                return taken
            self._news.clear()
            try:
                async with asyncio.timeout(min(left_s, self._backlog.due_in())):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        return [self._delete(message.receipt) for message in messages]

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        return [self._hide(message.receipt, seconds) for message, seconds in changes]

    async def facts(self) -> Mapping[str, str]:
        facts = {
            "QueueArn": self.arn,
            "VisibilityTimeout": str(self.visibility_s),
            "ApproximateNumberOfMessages": str(self.waiting),
            "ApproximateNumberOfMessagesNotVisible": str(self._backlog.count(State.OUT)),
            "ApproximateNumberOfMessagesDelayed": str(self._backlog.count(State.DELAYED)),
        }
        if self.fifo:
            facts["FifoQueue"] = "true"
        if self.dead_letter is not None:
            policy = {
                "deadLetterTargetArn": self.dead_letter.arn,
                "maxReceiveCount": self.max_receives,
            }
            facts["RedrivePolicy"] = json.dumps(policy)
        return facts

    async def tags(self) -> Mapping[str, str]:
        return dict(self._tags)

    async def tag(self, tags: Mapping[str, str]) -> None:
        self._tags |= tags

    async def untag(self, names: Sequence[str]) -> None:
        for name in names:
            self._tags.pop(name, None)

    def purge(self) -> None:
        """Removes every message."""
        self._backlog.clear()

    def move_next(self, destination_of: "Callable[[str | None], MemoryQueue]") -> bool:
        """Moves the next visible message, as SQS's move task does; False if there is none.

        `destination_of` gets the ARN of the message's source queue, or None. If it raises, or if
        the destination refuses the message, the message stays.
        """
        self._backlog.return_due()
        entry = self._backlog.next()
        if entry is None:
            return False
        record = entry.message
        destination = destination_of(record.system.get(SOURCE))
        # Two dead letters with equal bodies are two messages.
        new = {"MessageDeduplicationId": record.id} if destination.fifo else {}
        destination.send(
            record.body,
            delay_s=0,
            attributes=record.attributes,
            group=record.system.get("MessageGroupId"),
            **new,
        )
        self._backlog.remove(entry)
        return True

    def wake(self) -> None:
        """Makes every waiting receive look for messages again."""
        self._news.set()

    def _check(self, body: str, group: str | None, attributes: Mapping[str, Attribute]) -> None:
        if self.fifo and group is None:
            raise _rejected("send", "MissingParameter", "a FIFO queue wants a message group")
        if unsent := flaw(Outgoing(body=body, attributes=attributes)):
            code = unsent.code if unsent.code == "InvalidMessageContents" else BAD_VALUE
            raise _rejected("send", code, unsent.text)

    def _first_of(self, key: str, message_id: str) -> str:
        at = self._clock()
        while self._recent and (oldest := next(iter(self._recent))):
            if self._recent[oldest][0] > at - DEDUPLICATION_S:
                break
            self._numbers.pop(self._recent.pop(oldest)[1], None)
        return self._recent.setdefault(key, (at, message_id))[1]

    def _put(self, record: _Record, delay_s: float = 0) -> None:
        group = record.system.get("MessageGroupId") if self.fifo else None
        number = self._backlog.add(record.id, record, group, delay_s)
        if self.fifo:
            record.system["SequenceNumber"] = f"{number:020d}"
        self.wake()

    def _take(self, count: int, visibility_s: int, asked_at: float) -> list[Message]:
        taken: list[Message] = []
        lane = None
        self._backlog.return_due()
        while len(taken) < count and (entry := self._backlog.next(lane)):
            if self.dead_letter is not None and entry.message.receives >= self.max_receives:
                self._backlog.remove(entry)
                self._bury(entry.message, self.dead_letter)
                continue
            lane = entry.lane  # SQS fills an answer from one message group if it can
            self._backlog.take(entry, visibility_s)
            taken.append(self._handed_out(entry.message, asked_at))
        return taken

    def _bury(self, record: _Record, dead_letter: "MemoryQueue") -> None:
        record.system[SOURCE] = self.arn
        if self.fifo:  # a standard queue keeps the sending time
            record.system["SentTimestamp"] = self._milliseconds()
            record.system["MessageDeduplicationId"] = record.id
        dead_letter._put(record)

    def _delete(self, receipt: str) -> Refusal | None:
        entry, refusal = self._find(receipt)
        if entry is None:
            return refusal
        if self.fifo and entry.state is not State.OUT:
            return EXPIRED
        self._backlog.remove(entry)
        if self.fifo:
            self.wake()  # the next message of its group may be delivered
        return None

    def _hide(self, receipt: str, seconds: int) -> Refusal | None:
        entry, refusal = self._find(receipt)
        if entry is None:
            return refusal or NOT_IN_FLIGHT
        if entry.state is not State.OUT:
            return NOT_IN_FLIGHT
        if not 0 <= seconds <= MAX_VISIBILITY_S:
            return NO_TIME
        if self._backlog.out_for(entry) + seconds > MAX_VISIBILITY_S:
            return TOO_LONG
        self._backlog.hide(entry, seconds)
        self.wake()
        return None

    def _find(self, receipt: str) -> tuple[QueuedMessage[_Record] | None, Refusal | None]:
        """Finds the message of a receipt; None, and the refusal if SQS refuses the receipt."""
        key, separator, receives = receipt.partition(" ")
        if not separator:
            return None, GARBAGE
        entry = self._backlog.find(key)
        if entry is None:
            return None, None  # SQS accepts the delete of a deleted message
        if str(entry.message.receives) != receives:
            # A standard queue accepts an old receipt, but keeps the message.
            return None, EXPIRED if self.fifo else None
        return entry, None

    def _handed_out(self, record: _Record, asked_at: float) -> Message:
        record.receives += 1
        record.system["ApproximateReceiveCount"] = str(record.receives)
        record.system.setdefault("ApproximateFirstReceiveTimestamp", self._milliseconds())
        return Message(
            id=record.id,
            receipt=f"{record.id} {record.receives}",
            body=record.body,
            asked_at=asked_at,
            system=dict(record.system),
            attributes=record.attributes,
            origin=Origin(self.name, self.url),
        )

    def _milliseconds(self) -> str:
        return str(int(self._world.wall() * 1000))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _rejected(operation: str, code: str, text: str) -> Rejected:
    return Rejected(service="SQS", operation=operation, code=code, text=text)
