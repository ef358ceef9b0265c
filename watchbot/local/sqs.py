"""Replaces parts of moto's SQS; each part says which fault of moto it mends."""

import base64
import copy
import socket
import time
from collections.abc import Callable
from threading import Condition, RLock
from typing import Any, NamedTuple, cast

import flask
from moto.sqs import models
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException

from watchbot.local import letters
from watchbot.local.attempts import Attempts, asked_as
from watchbot.sqs.backlog import Backlog, QueuedMessage, State
from watchbot.world import now

MAX_VISIBILITY_S = 43_200  # SQS hides a message for at most twelve hours from its receive
DEDUPLICATION_MS = 300_000

Results = tuple[list[str], list[dict[str, Any]]]  # ids of entries that succeeded; refusals

# A lock for all queues, because a redrive moves a message between two. Never held during a wait.
_lock = RLock()


class EmbeddedQueue(models.Queue):
    """A queue of moto with its messages in a `Backlog`.

    moto walks over all messages of a queue for each send, delete and change of visibility, and
    three times for each message that it delivers. With 5,000 messages a receive of ten took 2 s.
    """

    deduplication_scope: str
    message_retention_period: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.backlog: Backlog[models.Message] = Backlog()
        self.news = Condition(_lock)
        self.closed = False
        self.attempts = Attempts(self.backlog)
        self.moves: list[Any] = []  # the tasks that moved messages from here, the oldest first
        self._sent: dict[tuple[str | None, str | None], Sent] = {}  # the oldest first
        super().__init__(*args, **kwargs)

    @property
    def approximate_number_of_messages(self) -> int:
        with _lock:
            return self.backlog.count(State.WAITING)

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        with _lock:
            return self.backlog.count(State.DELAYED)

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        with _lock:
            return self.backlog.count(State.OUT)

    def add_message(self, message: models.Message) -> None:
        """Adds a sent message. In a FIFO queue a duplicate gets the id of the first message."""
        with _lock:
            if self.fifo_queue and self._repeats(message):
                return
            self._put(message, message.delayed_until / 1000 - time.time())
        if self.lambda_event_source_mappings:
            super().add_message(message)  # moto starts the queue's Lambda functions here
            self._messages.clear()

    def take(self, count: int, hidden_s: int) -> list[models.Message]:
        """Takes up to `count` messages, and hides them from others for `hidden_s`."""
        taken: list[models.Message] = []
        lane = None
        self.backlog.return_due()
        while len(taken) < count and (entry := self.backlog.next(lane)):
            message = entry.message
            if self._is_expired(message):
                self.backlog.remove(entry)
            elif self._is_dead(message):
                self.backlog.remove(entry)
                letters.give_up(message, self.queue_arn)
                cast(EmbeddedQueue, self.dead_letter_queue)._put(message, delay_s=0)
            else:
                lane = entry.lane  # SQS fills an answer from one message group if it can
                self.backlog.take(entry, hidden_s)
                _mark_received(message)
                taken.append(copy.copy(message))
        return taken

    def take_for(self, attempt: str | None, count: int, hidden_s: int) -> list[models.Message]:
        """Calls `take`; in a FIFO queue, a repeated attempt gets its earlier messages again."""
        if attempt is None or not self.fifo_queue:
            return self.take(count, hidden_s)
        taken = self.attempts.repeat(attempt, hidden_s)
        if not taken and (taken := self.take(count, hidden_s)):
            self.attempts.note(attempt, taken)
        return taken

    def delete_message(self, receipt_handle: str) -> None:
        with _lock:
            entry, is_last = self._received(receipt_handle)
            if entry is None:
                return  # SQS accepts the delete of a deleted message
            if self.fifo_queue and not (is_last and entry.state is State.OUT):
                raise _bad_receipt(receipt_handle, "The receipt handle has expired")
            if is_last:  # else SQS accepts the delete, but keeps the message
                self.backlog.remove(entry)
                self.news.notify_all()  # moto does not wake a FIFO poll here

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a message in flight for `seconds` from now."""
        with _lock:
            entry, is_last = self._received(receipt)
            if entry is None or not is_last:
                raise _bad_receipt(
                    receipt,
                    "Message does not exist or is not available for visibility timeout change",
                )
            if entry.state is not State.OUT:  # moto accepts this, and hides the message
                raise SQSException(
                    "AWS.SimpleQueueService.MessageNotInflight",
                    "The specified message isn't in flight.",
                )
            # moto counts from the sending of the message instead.
            if self.backlog.out_for(entry) + seconds > MAX_VISIBILITY_S:
                raise InvalidParameterValue(
                    f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                )
            self.backlog.hide(entry, seconds)
            self.news.notify_all()

    def count(self, state: State) -> int:
        """The number of messages in this state."""
        with _lock:
            return self.backlog.count(state)

    def source_of(self, message_id: str) -> str | None:
        """The ARN of the message's source queue, or None."""
        with _lock:
            entry = self.backlog.find(message_id)
            return letters.source_of(entry.message) if entry else None

    def begin(self, task: Any) -> bool:
        """Notes a task that moves messages from this queue; False if another one runs."""
        with _lock:
            if self.moves and self.moves[-1].status in ("RUNNING", "CANCELLING"):
                return False
            self.moves.append(task)
            return True

    def move_next(self, destination: Callable[[str | None], "EmbeddedQueue"]) -> bool:
        """Moves the first visible message, as a new message; False if there is none.

        `destination` gets the ARN of the message's source queue, or None.
        """
        with _lock:
            self.backlog.return_due()
            entry = self.backlog.next()
            if entry is None:
                return False
            target = destination(letters.source_of(entry.message))
            self.backlog.remove(entry)
            target._put(letters.as_new(entry.message), delay_s=0)
            return True

    def empty(self) -> None:
        """Removes all messages."""
        with _lock:
            self.backlog.clear()

    def close(self) -> None:
        """Ends the long polls; later polls return at once."""
        with _lock:
            self.closed = True
            self.news.notify_all()

    def _put(self, message: models.Message, delay_s: float) -> None:
        group = message.group_id if self.fifo_queue else None
        number = self.backlog.add(message.id, message, group, delay_s)
        if self.fifo_queue:
            message.sequence_number = f"{number:020d}"  # moto's is random or missing
        self.news.notify_all()

    def _repeats(self, message: models.Message) -> bool:
        # moto forgets the deduplication id after the delete of the first message.
        sent_at = cast(int, message.sent_timestamp)
        while self._sent and next(iter(self._sent.values())).at <= sent_at - DEDUPLICATION_MS:
            del self._sent[next(iter(self._sent))]
        by_group = self.deduplication_scope == "messageGroup"
        key = (message.group_id if by_group else None, message.deduplication_id)
        first = self._sent.setdefault(key, Sent(sent_at, message.id))
        repeats = first.id != message.id
        message.id = first.id
        return repeats

    def _is_expired(self, message: models.Message) -> bool:
        sent_at = cast(int, message.sent_timestamp)
        return sent_at / 1000 + self.message_retention_period <= time.time()

    def _is_dead(self, message: models.Message) -> bool:
        if self.dead_letter_queue is None or not self.redrive_policy:
            return False
        limit: int = self.redrive_policy["maxReceiveCount"]
        return message.approximate_receive_count >= limit

    def _received(self, receipt: str) -> tuple[QueuedMessage[models.Message] | None, bool]:
        """The message of this receipt, or None; and whether this is its newest receipt."""
        try:
            key, receives = base64.urlsafe_b64decode(receipt).decode().split(" ")
        except ValueError:
            raise ReceiptHandleIsInvalid from None
        entry = self.backlog.find(key)
        is_last = entry is not None and str(entry.message.approximate_receive_count) == receives
        return entry, is_last


class Sent(NamedTuple):
    """Facts of a message that a FIFO queue remembers for five minutes."""

    at: int
    id: str


def _mark_received(message: models.Message) -> None:
    # The receipt contains the message's id, so that the queue need not store receipts.
    message.approximate_receive_count += 1
    message.approximate_first_receive_timestamp = (
        message.approximate_first_receive_timestamp or int(time.time() * 1000)
    )
    receipt = f"{message.id} {message.approximate_receive_count}"
    message.receipt_handle = base64.urlsafe_b64encode(receipt.encode()).decode()


def _bad_receipt(receipt: str, reason: str) -> SQSException:
    return InvalidParameterValue(
        f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: {reason}."
    )


class Backend(models.SQSBackend):
    """SQS of one region, with thread-safe receives.

    moto holds no lock: of 1,600 messages received in parallel it delivered 1 to 5 twice, and as
    many never. Its polls look at the queue only once a second.
    """

    __module__ = models.__name__  # moto finds the URLs of a service by it

    def receive_message(
        self,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[models.Message]:
        queue = self._queue(queue_name)
        ends = now() + wait_seconds_timeout
        taken: list[models.Message] = []
        with _lock:
            while not _caller_left():  # a closed connection would lose the messages
                taken = queue.take_for(asked_as.get(), count, visibility_timeout)
                left = ends - now()
                if taken or left <= 0 or queue.closed:
                    break
                queue.news.wait(min(left, queue.backlog.due_in()))
        for message in taken:
            models._filter_message_attributes(message, message_attribute_names or [])
        return taken

    def change_message_visibility(
        self, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        self._queue(queue_name).hide(receipt_handle, int(visibility_timeout))

    def change_message_visibility_batch(
        self, queue_name: str, entries: list[dict[str, Any]]
    ) -> Results:
        queue = self._queue(queue_name)

        def hide(entry: dict[str, Any]) -> None:
            seconds = int(entry["VisibilityTimeout"])
            if not 0 <= seconds <= MAX_VISIBILITY_S:
                raise InvalidParameterValue("Visibility timeout invalid")
            queue.hide(entry["ReceiptHandle"], seconds)

        return _each(entries, hide)

    def delete_message_batch(self, queue_name: str, receipts: list[dict[str, Any]]) -> Results:
        queue = self._queue(queue_name)
        return _each(receipts, lambda entry: queue.delete_message(entry["ReceiptHandle"]))

    def purge_queue(self, queue_name: str) -> None:
        super().purge_queue(queue_name)
        self._queue(queue_name).empty()

    def delete_queue(self, queue_name: str) -> None:
        queue = self._queue(queue_name)
        super().delete_queue(queue_name)
        queue.close()

    def by_arn(self, arn: str | None) -> EmbeddedQueue | None:
        """The queue with this ARN, or None."""
        queues = (cast(EmbeddedQueue, queue) for queue in list(self.queues.values()))
        return next((queue for queue in queues if queue.queue_arn == arn), None)

    def _queue(self, name: str) -> EmbeddedQueue:
        return cast(EmbeddedQueue, self.get_queue(name))


def _caller_left() -> bool:
    """Whether the client of this thread has closed its connection."""
    if not flask.has_request_context():
        return False
    connection: socket.socket = flask.request.environ["werkzeug.socket"]
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:  # the connection is open, and the client waits
        return False
    except OSError:
        return True


def _each(entries: list[dict[str, Any]], act: Callable[[dict[str, Any]], None]) -> Results:
    """Acts on each entry of a batch; in moto, some refusals of an entry fail the whole call."""
    done: list[str] = []
    refused: list[dict[str, Any]] = []
    for entry in entries:
        try:
            act(entry)
            done.append(entry["Id"])
        except SQSException as refusal:
            facts = {"Code": refusal.code, "Message": refusal.message, "SenderFault": True}
            refused.append({"Id": entry["Id"], **facts})
    return done, refused
