"""Adds actions of SQS that moto lacks: message move tasks, and parts of a receive."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue, SQSException
from moto.sqs.responses import SQSResponse

from watchbot.local.attempts import asked_as
from watchbot.local.letters import SOURCE
from watchbot.local.sqs import Backend, EmbeddedQueue
from watchbot.sqs.backlog import State

MAX_RATE = 500  # messages a second
_receive = SQSResponse.receive_message


class NoSuchResource(SQSException):
    """SQS's error for an unknown ARN or task handle."""

    def __init__(self, text: str) -> None:
        super().__init__("ResourceNotFoundException", text)


@dataclass(slots=True, eq=False)
class MoveTask:
    """A message move task: its thread moves the messages that waited in `source` at its start."""

    source: EmbeddedQueue
    backend: Backend
    destination: EmbeddedQueue | None
    rate: int | None
    to_move: int
    handle: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    status: str = "RUNNING"
    failure: str | None = None
    moved: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Moves messages until all are moved, the task is cancelled or the server ends."""
        while self.moved < self.to_move and not self.source.closed:
            if self.cancelled.wait(1 / self.rate if self.rate else 0):
                self.status = "CANCELLED"
                return
            try:
                if not self.source.move_next(self._destination_of):
                    break
            except LookupError as lost:
                self.status, self.failure = "FAILED", str(lost.args[0])
                return
            self.moved += 1
        self.status = "COMPLETED"

    def cancel(self) -> None:
        """Makes the task end before its next message."""
        self.status = "CANCELLING"
        self.cancelled.set()

    def shown(self) -> dict[str, Any]:
        """The task in the form of SQS's list."""
        facts = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source.queue_arn,
            "DestinationArn": self.destination.queue_arn if self.destination else None,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started_ms,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _destination_of(self, source_arn: str | None) -> EmbeddedQueue:
        queue = self.destination or self.backend.by_arn(source_arn)
        if queue is None:
            raise LookupError("CouldNotDetermineMessageSource")
        return queue


def start(self: SQSResponse) -> ActionResult:
    """Answers StartMessageMoveTask."""
    backend = cast(Backend, self.sqs_backend)
    source = _named(self, "SourceArn")
    wanted = self._get_param("DestinationArn")
    destination = _named(self, "DestinationArn") if wanted else None
    rate = self._get_param("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= MAX_RATE:
        raise InvalidParameterValue(
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. "
            f"Reason: must be between 1 and {MAX_RATE}, if provided."
        )
    if not backend.list_dead_letter_source_queues(source.name):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    task = MoveTask(source, backend, destination, rate and int(rate), source.count(State.WAITING))
    if not source.begin(task):
        raise InvalidParameterValue(
            "There is already a task running. Only one active task is allowed for a source queue "
            "arn at a given time."
        )
    threading.Thread(target=task.run, daemon=True).start()
    return ActionResult({"TaskHandle": task.handle})


def show(self: SQSResponse) -> ActionResult:
    """Answers ListMessageMoveTasks, with the newest task first."""
    most = int(self._get_param("MaxResults") or 1)
    tasks = list(reversed(_named(self, "SourceArn").moves))
    return ActionResult({"Results": [task.shown() for task in tasks[:most]]})


def cancel(self: SQSResponse) -> ActionResult:
    """Answers CancelMessageMoveTask."""
    handle = self._get_param("TaskHandle")
    for queue in self.sqs_backend.queues.values():
        for task in cast(EmbeddedQueue, queue).moves:
            if task.handle == handle and task.status == "RUNNING":
                task.cancel()
                return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})
    raise NoSuchResource("There is no running task of this handle.")


def receive(self: SQSResponse) -> ActionResult:
    """Answers ReceiveMessage, with the attempt's id and the source queue of a dead letter."""
    # Before the poll: at its end, the server and its queues may be gone.
    queue = cast(EmbeddedQueue, self.sqs_backend.get_queue(self._get_queue_name()))
    token = asked_as.set(self._get_param("ReceiveRequestAttemptId"))
    try:
        answer = _receive(self)
    finally:
        asked_as.reset(token)
    asked = {
        *(self._get_param("AttributeNames") or ()),
        *(self._get_param("MessageSystemAttributeNames") or ()),
    }
    if asked & {"All", SOURCE}:
        for message in cast(dict[str, Any], answer.result).get("Messages", ()):
            if source := queue.source_of(message["MessageId"]):
                message.setdefault("Attributes", {})[SOURCE] = source
    return answer


def _named(response: SQSResponse, parameter: str) -> EmbeddedQueue:
    queue = cast(Backend, response.sqs_backend).by_arn(response._get_param(parameter))
    if queue is None:
        raise NoSuchResource(
            f"The resource that you specified for the {parameter} parameter doesn't exist."
        )
    return queue


ACTIONS = {
    "start_message_move_task": start,
    "list_message_move_tasks": show,
    "cancel_message_move_task": cancel,
    "receive_message": receive,
}
