"""moto's SQS, mended: what is replaced here says which fault it mends."""

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

MAX_VISIBILITY_S = 43_200  # SQS keeps a message hidden for twelve hours from its receive at most
DEDUPLICATION_MS = 300_000

Results = tuple[list[str], list[dict[str, Any]]]  # the ids that it was done for; the refusals

# One for all queues: a redrive moves a message from one to another. Never held through a wait.
_lock = RLock()


class EmbeddedQueue(models.Queue):
    """moto's queue, with its messages in a `Backlog`.

    moto looks at all messages of a queue to send one, to delete one, to hide one, and three times
    for each one that it hands out: with 5,000 waiting a receive of ten took 2 s.
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
        """Takes in what was sent. A repetition in a FIFO queue turns into what it repeats."""
        with _lock:
            if self.fifo_queue and self._repeats(message):
                return
            self._put(message, message.delayed_until / 1000 - time.time())
        if self.lambda_event_source_mappings:
            super().add_message(message)  # moto's part: starts the functions
            self._messages.clear()

    def take(self, count: int, hidden_s: int) -> list[models.Message]:
        """Up to `count` messages as they are now, hidden from others for so long."""
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
                lane = entry.lane  # SQS fills an answer from one group as far as it goes
                self.backlog.take(entry, hidden_s)
                _mark_received(message)
                taken.append(copy.copy(message))
        return taken

    def take_for(self, attempt: str | None, count: int, hidden_s: int) -> list[models.Message]:
        """What `take` gives; in a FIFO queue, a repeated attempt gets what it got before."""
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
                return  # to delete what is gone succeeds in SQS too
            if self.fifo_queue and not (is_last and entry.state is State.OUT):
                raise _bad_receipt(receipt_handle, "The receipt handle has expired")
            if is_last:  # else it was received again: SQS says yes, and keeps it
                self.backlog.remove(entry)
                self.news.notify_all()  # its group may go on: moto let a FIFO poll sleep

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a message that is out for so long from now."""
        with _lock:
            entry, is_last = self._received(receipt)
            if entry is None or not is_last:
                raise _bad_receipt(
                    receipt,
                    "Message does not exist or is not available for visibility timeout change",
                )
            if entry.state is not State.OUT:  # moto says yes, and hides it
                raise SQSException(
                    "AWS.SimpleQueueService.MessageNotInflight",
                    "The specified message isn't in flight.",
                )
            if self.backlog.out_for(entry) + seconds > MAX_VISIBILITY_S:  # moto: since it was sent
                raise InvalidParameterValue(
                    f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                )
            self.backlog.hide(entry, seconds)
            self.news.notify_all()

    def count(self, state: State) -> int:
        """How many messages are in this state."""
        with _lock:
            return self.backlog.count(state)

    def source_of(self, message_id: str) -> str | None:
        """The ARN of the queue that gave the message up, if any did."""
        with _lock:
            entry = self.backlog.find(message_id)
            return letters.source_of(entry.message) if entry else None

    def begin(self, task: Any) -> bool:
        """Takes note of a task that moves messages from here; not while another one runs."""
        with _lock:
            if self.moves and self.moves[-1].status in ("RUNNING", "CANCELLING"):
                return False
            self.moves.append(task)
            return True

    def move_next(self, destination: Callable[[str | None], "EmbeddedQueue"]) -> bool:
        """Moves the message that waits first, as a new one; whether there was any.

        `destination` gets the ARN of the queue that gave it up.
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
        """Ends the polls that wait; none waits from now on."""
        with _lock:
            self.closed = True
            self.news.notify_all()

    def _put(self, message: models.Message, delay_s: float) -> None:
        group = message.group_id if self.fifo_queue else None
        number = self.backlog.add(message.id, message, group, delay_s)
        if self.fifo_queue:
            message.sequence_number = f"{number:020d}"  # moto's is random, and may be missing
        self.news.notify_all()

    def _repeats(self, message: models.Message) -> bool:
        # moto forgets the deduplication id once the first message was deleted.
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
        """The message this receipt is of, unless it is gone; and whether it is its last receipt."""
        try:
            key, receives = base64.urlsafe_b64decode(receipt).decode().split(" ")
        except ValueError:
            raise ReceiptHandleIsInvalid from None
        entry = self.backlog.find(key)
        is_last = entry is not None and str(entry.message.approximate_receive_count) == receives
        return entry, is_last


class Sent(NamedTuple):
    """What a FIFO queue remembers of a message for five minutes."""

    at: int
    id: str


def _mark_received(message: models.Message) -> None:
    # The receipt says what it is of, so that none need be kept. moto's own cost 0.1 ms to make.
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
    """moto's SQS of one region, whose receives are safe beside each other.

    moto held no lock: of 1,600 messages received in parallel it handed 1 to 5 out twice, and as
    many never. A poll looked at the queue once a second.
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
            while not _caller_left():  # it would take messages along, out of everybody's sight
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
        """The queue of this ARN, if there is one."""
        queues = (cast(EmbeddedQueue, queue) for queue in list(self.queues.values()))
        return next((queue for queue in queues if queue.queue_arn == arn), None)

    def _queue(self, name: str) -> EmbeddedQueue:
        return cast(EmbeddedQueue, self.get_queue(name))


def _caller_left() -> bool:
    """Whether the client that this thread answers has closed its connection meanwhile."""
    if not flask.has_request_context():
        return False
    connection: socket.socket = flask.request.environ["werkzeug.socket"]
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:  # open, and silent: it waits for us
        return False
    except OSError:
        return True


def _each(entries: list[dict[str, Any]], act: Callable[[dict[str, Any]], None]) -> Results:
    """Acts on each entry of a batch; moto let some refusals of one fail the whole call."""
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
