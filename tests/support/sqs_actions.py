"""The actions of SQS, as its JSON protocol has them, on queues in memory."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support import sqs_digest, sqs_wire
from tests.support.sqs_wire import Answer, Request
from watchbot.errors import Rejected
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message
from watchbot.sqs.queue import MAX_BATCH, Refusal

BATCH_BYTES = 1_048_576
DEFAULTS = {
    "VisibilityTimeout": "30",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
}


class Fault(Exception):
    """The whole call is refused."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(slots=True)
class Served:
    """A queue, and what was set on it."""

    queue: MemoryQueue
    url: str
    attributes: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    tags: dict[str, str] = field(default_factory=dict)

    def seconds(self, request: Request, parameter: str, attribute: str) -> int:
        """The value of the request, or else of the queue."""
        return int(request.get(parameter, self.attributes[attribute]))


@dataclass(slots=True)
class Calls:
    """How often one action was asked for, and when, in seconds of `time.monotonic()`."""

    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    def note(self) -> None:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.count += 1


class Sqs:
    """All queues of one server. `latency_s` is added to every call."""

    def __init__(self, url: str, *, latency_s: float = 0) -> None:
        self.url, self.latency_s = url, latency_s
        self._served: dict[str, Served] = {}
        self._calls: defaultdict[str, Calls] = defaultdict(Calls)
        self._moves: dict[str, Answer] = {}  # the last one from each queue, by its ARN

    def queue(self, name: str) -> MemoryQueue:
        """The queue of this name, to send to and to look into without HTTP."""
        return self._of({"QueueUrl": name}).queue

    async def answer(self, action: str, request: Request) -> Answer:
        """The answer of SQS. Raises `Fault` and `Rejected` where SQS would refuse."""
        self._calls[action].note()
        if self.latency_s:
            await asyncio.sleep(self.latency_s)  # the latency that was asked for
        if act := OF_SERVER.get(action):
            return act(self, request)
        if act_on_queue := OF_QUEUE.get(action):
            return await act_on_queue(self._of(request), request)
        raise Fault("UnsupportedOperation", f"this server knows no {action}")

    def create(self, request: Request) -> Answer:
        name, attributes = request["QueueName"], request.get("Attributes", {})
        if name.endswith(".fifo") != (attributes.get("FifoQueue") == "true"):
            raise Fault("InvalidParameterValue", "a queue is FIFO by its name and by FifoQueue")
        served = self._served.get(name)
        if served is None:
            served = Served(MemoryQueue(name), f"{self.url}/123456789012/{name}")
            served.tags |= request.get("tags", {})
            self._set(served, attributes)
            self._served[name] = served
        elif attributes.items() - served.attributes.items():
            raise Fault("QueueNameExists", "there is a queue of this name with other attributes")
        return {"QueueUrl": served.url}

    def tell_calls(self, _: Request) -> Answer:
        """No action of SQS: what was asked since this was asked last, for benchmarks."""
        calls, self._calls = self._calls, defaultdict(Calls)
        return {action: asdict(note) for action, note in calls.items()}

    def fill(self, request: Request) -> Answer:
        """No action of SQS, either: many messages in one call, for benchmarks."""
        queue = self._of(request).queue
        for number in range(request["Count"]):
            queue.send(request.get("MessageBody") or str(number))
        return {}

    def move(self, request: Request) -> Answer:
        """Moves at once what SQS moves in its own time; without a destination, to the sources."""
        source, wanted = self._by_arn(request["SourceArn"]), request.get("DestinationArn")
        destination = self._by_arn(wanted) if wanted else None
        task = {"Status": "COMPLETED", "SourceArn": source.arn}
        moved, to_move = 0, source.waiting
        try:
            while moved < to_move and source.move_next(
                lambda arn: destination or self._by_arn(arn or "")
            ):
                moved += 1
        except Fault:
            task |= {"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}
        self._moves[source.arn] = {
            **task,
            **({"DestinationArn": destination.arn} if destination else {}),
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": to_move,
        }
        return {"TaskHandle": source.arn}

    def list_moves(self, request: Request) -> Answer:
        move = self._moves.get(request["SourceArn"])
        return {"Results": [move] if move else []}

    def cancel_move(self, _: Request) -> Answer:
        """Refuses: each move is over before its answer is sent."""
        raise Fault("ResourceNotFoundException", "no such task is running")

    def list_sources(self, request: Request) -> Answer:
        dead = self._of(request).queue
        sources = (one for one in self._served.values() if one.queue.dead_letter is dead)
        return {"queueUrls": [one.url for one in sources]}

    def find(self, request: Request) -> Answer:
        return {"QueueUrl": self._of({"QueueUrl": request["QueueName"]}).url}

    def list_all(self, request: Request) -> Answer:
        prefix = request.get("QueueNamePrefix", "")
        urls = [served.url for name, served in self._served.items() if name.startswith(prefix)]
        return {"QueueUrls": urls} if urls else {}

    def change(self, request: Request) -> Answer:
        self._set(self._of(request), request["Attributes"])
        return {}

    def remove(self, request: Request) -> Answer:
        del self._served[self._of(request).queue.name]
        return {}

    def _by_arn(self, arn: str) -> MemoryQueue:
        for served in self._served.values():
            if served.queue.arn == arn:
                return served.queue
        raise Fault("ResourceNotFoundException", "there is no queue of this ARN")

    def _of(self, request: Request) -> Served:
        # Clients may know this server under another host name: only the last word counts.
        name = request["QueueUrl"].rpartition("/")[2]
        if name not in self._served:
            raise Fault("QueueDoesNotExist", "The specified queue does not exist.")
        return self._served[name]

    def _set(self, served: Served, attributes: Mapping[str, str]) -> None:
        served.attributes |= attributes
        served.queue.visibility_s = int(served.attributes["VisibilityTimeout"])
        if most := attributes.get("MaxHidden"):  # no attribute of SQS, where all have 120,000
            served.queue.max_hidden = int(most)
        if policy := attributes.get("RedrivePolicy"):
            wanted = json.loads(policy)
            dead_letter = wanted["deadLetterTargetArn"].rpartition(":")[2]
            served.queue.dead_letter = self.queue(dead_letter)
            served.queue.max_receives = int(wanted["maxReceiveCount"])


async def send(served: Served, request: Request) -> Answer:
    queue = served.queue
    system = {
        name: item["StringValue"]
        for name, item in request.get("MessageSystemAttributes", {}).items()
    }
    if dedup_id := request.get("MessageDeduplicationId"):
        system["MessageDeduplicationId"] = dedup_id
    elif queue.fifo and served.attributes.get("ContentBasedDeduplication") != "true":
        raise Fault("InvalidParameterValue", "the queue wants a MessageDeduplicationId")
    if queue.fifo and request.get("DelaySeconds"):
        raise Fault("InvalidParameterValue", "no message of a FIFO queue has a delay of its own")
    body: str = request["MessageBody"]
    message_id = queue.send(
        body,
        delay_s=served.seconds(request, "DelaySeconds", "DelaySeconds"),
        attributes=sqs_wire.attributes(request.get("MessageAttributes", {})),
        group=request.get("MessageGroupId"),
        **system,
    )
    answer = {"MessageId": message_id, "MD5OfMessageBody": sqs_digest.of_text(body)}
    if number := queue.sequence_number(message_id):
        answer["SequenceNumber"] = number
    if given := request.get("MessageAttributes"):
        answer["MD5OfMessageAttributes"] = sqs_digest.of_attributes(given)
    return answer


async def send_batch(served: Served, request: Request) -> Answer:
    entries = _entries(request)
    if sum(len(entry["MessageBody"]) for entry in entries) > BATCH_BYTES:
        raise Fault("BatchRequestTooLong", "the batch has more than 1 MiB")
    answer: Answer = {"Successful": [], "Failed": []}
    for entry in entries:
        try:
            sent = await send(served, entry)
            answer["Successful"].append({"Id": entry["Id"], **sent})
        except (Fault, Rejected) as error:
            answer["Failed"].append(_failed(entry, error.code, error.text))
    return answer


async def receive(served: Served, request: Request) -> Answer:
    messages = await served.queue.receive(
        int(request.get("MaxNumberOfMessages", 1)),
        served.seconds(request, "WaitTimeSeconds", "ReceiveMessageWaitTimeSeconds"),
        served.seconds(request, "VisibilityTimeout", "VisibilityTimeout"),
    )
    system = {
        *request.get("MessageSystemAttributeNames", ()),
        *request.get("AttributeNames", ()),
    }
    wanted = request.get("MessageAttributeNames", ())
    handed_out = [sqs_wire.handed_out(message, system, wanted) for message in messages]
    return {"Messages": handed_out} if handed_out else {}


async def delete(served: Served, request: Request) -> Answer:
    return _single(await served.queue.delete([_receipt(request)]))


async def delete_batch(served: Served, request: Request) -> Answer:
    entries = _entries(request)
    return _batch(entries, await served.queue.delete([_receipt(entry) for entry in entries]))


async def hide(served: Served, request: Request) -> Answer:
    return _single(await served.queue.hide([_change(request)]))


async def hide_batch(served: Served, request: Request) -> Answer:
    entries = _entries(request)
    return _batch(entries, await served.queue.hide([_change(entry) for entry in entries]))


async def describe(served: Served, request: Request) -> Answer:
    wanted = request.get("AttributeNames", ())
    attributes = {**served.attributes, **await served.queue.facts()}
    return {"Attributes": attributes if "All" in wanted else sqs_wire.only(attributes, wanted)}


async def tag(served: Served, request: Request) -> Answer:
    served.tags |= request["Tags"]
    return {}


async def untag(served: Served, request: Request) -> Answer:
    for name in request["TagKeys"]:
        served.tags.pop(name, None)
    return {}


async def list_tags(served: Served, _: Request) -> Answer:
    return {"Tags": served.tags} if served.tags else {}


async def purge(served: Served, request: Request) -> Answer:
    served.queue.purge()
    return {}


OF_SERVER: dict[str, Callable[[Sqs, Request], Answer]] = {
    "CancelMessageMoveTask": Sqs.cancel_move,
    "CreateQueue": Sqs.create,
    "DeleteQueue": Sqs.remove,
    "GetQueueUrl": Sqs.find,
    "ListDeadLetterSourceQueues": Sqs.list_sources,
    "ListMessageMoveTasks": Sqs.list_moves,
    "ListQueues": Sqs.list_all,
    "FillQueue": Sqs.fill,
    "TellCalls": Sqs.tell_calls,
    "SetQueueAttributes": Sqs.change,
    "StartMessageMoveTask": Sqs.move,
}
OF_QUEUE: dict[str, Callable[[Served, Request], Awaitable[Answer]]] = {
    "ChangeMessageVisibility": hide,
    "ChangeMessageVisibilityBatch": hide_batch,
    "DeleteMessage": delete,
    "DeleteMessageBatch": delete_batch,
    "GetQueueAttributes": describe,
    "ListQueueTags": list_tags,
    "PurgeQueue": purge,
    "ReceiveMessage": receive,
    "SendMessage": send,
    "SendMessageBatch": send_batch,
    "TagQueue": tag,
    "UntagQueue": untag,
}


def _entries(request: Request) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = request.get("Entries", [])
    if not entries:
        raise Fault("EmptyBatchRequest", "there is no entry in the batch")
    if len(entries) > MAX_BATCH:
        raise Fault("TooManyEntriesInBatchRequest", "a batch has ten entries at most")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise Fault("BatchEntryIdsNotDistinct", "two entries have the same Id")
    return entries


def _receipt(entry: Request) -> Message:
    """Just enough of a message to settle it."""
    return Message(id="", receipt=entry["ReceiptHandle"], body="", asked_at=0)


def _change(entry: Request) -> tuple[Message, int]:
    return _receipt(entry), int(entry["VisibilityTimeout"])


def _single(refusals: Sequence[Refusal | None]) -> Answer:
    for refusal in refusals:
        if refusal:
            raise Fault(refusal.code, refusal.text)
    return {}


def _batch(entries: Sequence[Request], refusals: Sequence[Refusal | None]) -> Answer:
    answer: Answer = {"Successful": [], "Failed": []}
    for entry, refusal in zip(entries, refusals, strict=True):
        if refusal is None:
            answer["Successful"].append({"Id": entry["Id"]})
        else:
            answer["Failed"].append(_failed(entry, refusal.code, refusal.text))
    return answer


def _failed(entry: Request, code: str, text: str) -> Answer:
    return {"Id": entry["Id"], "Code": code, "Message": text, "SenderFault": True}
