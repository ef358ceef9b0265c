"""What the doctor knows of a set-up, and what it says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from watchbot.errors import AwsError, Denied, NotFound
from watchbot.settings.doctor import DoctorSettings
from watchbot.settings.misspelt import Unknown
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.redrive import Redrive, redrive


class Level(StrEnum):
    """How much a finding matters. Only an error is certain to do harm."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `fix` says how to mend it, where there is need."""

    level: Level
    what: str
    fix: str = ""


def ok(what: str) -> Finding:
    return Finding(level=Level.OK, what=what)


def warning(what: str, fix: str) -> Finding:
    return Finding(level=Level.WARNING, what=what, fix=fix)


def error(what: str, fix: str) -> Finding:
    return Finding(level=Level.ERROR, what=what, fix=fix)


class Probe(StrEnum):
    """A call that changes nothing, by the permission that it needs."""

    READ_QUEUE = "sqs:GetQueueAttributes"
    READ_DEAD_LETTERS = "sqs:GetQueueAttributes on the dead-letter queue"
    RECEIVE = "sqs:ReceiveMessage"
    DELETE = "sqs:DeleteMessage"
    HIDE = "sqs:ChangeMessageVisibility"
    BURY = "sqs:SendMessage on the dead-letter queue"
    READ_TOPIC = "sns:ListSubscriptionsByTopic"
    NOTIFY = "sns:Publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """Where the doctor runs: the same container, one hopes, as the watcher."""

    stack_bytes: int | None  # None: unlimited, or not known
    variables_bytes: int
    scratch_trouble: str | None = None
    own_pid: int
    first_process: str | None  # the name of PID 1; None where nobody tells
    in_ecs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that was collected.

    `queue` and `dead_letters` are attributes by their SQS names, empty when they could not be
    read. `subscribers` are what the topic feeds, None when it could not be read. `answers` has
    each probe that was tried: None when it was allowed, else the refusal.
    """

    settings: DoctorSettings
    machine: MachineFacts
    queue: Mapping[str, str] = field(default_factory=dict)
    dead_letters: Mapping[str, str] = field(default_factory=dict)
    subscribers: Mapping[str, str] | None = None
    answers: Mapping[Probe, AwsError | None] = field(default_factory=dict)
    unknown_variables: Sequence[Unknown] = ()

    @property
    def fifo(self) -> bool:
        return is_fifo(self.settings.queue_url)

    @property
    def redrive(self) -> Redrive | None:
        """Where the queue sends its dead messages, if anywhere."""
        return redrive(self.queue)

    def missing(self, probe: Probe) -> bool:
        """Whether what this probe asked for does not exist."""
        return isinstance(self.answers.get(probe), NotFound)

    def denied(self, probe: Probe) -> bool:
        return isinstance(self.answers.get(probe), Denied)


Check = Callable[[Facts], Finding | None]  # None: there is nothing to say in this set-up
