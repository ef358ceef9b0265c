"""Defines the facts that the doctor collects, and its findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from watchbot.errors import AwsError, Denied, NotFound
from watchbot.settings.doctor import DoctorSettings
from watchbot.settings.misspelt import Unknown
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.redrive import Redrive, redrive


class Level(StrEnum):
    """The severity of a finding. Only an error is certain to do harm."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check; `fix` says how to mend a problem."""

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
    """A call that changes nothing, named by the permission that it needs."""

    READ_QUEUE = "sqs:GetQueueAttributes"
    READ_TAGS = "sqs:ListQueueTags"
    READ_DEAD_LETTERS = "sqs:GetQueueAttributes on the dead-letter queue"
    RECEIVE = "sqs:ReceiveMessage"
    DELETE = "sqs:DeleteMessage"
    HIDE = "sqs:ChangeMessageVisibility"
    BURY = "sqs:SendMessage on the dead-letter queue"
    READ_TOPIC = "sns:ListSubscriptionsByTopic"
    NOTIFY = "sns:Publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """Facts of the doctor's own container, which should be the watcher's."""

    stack_bytes: int | None  # None: unlimited, or not known
    variables_bytes: int
    scratch_trouble: str | None = None
    own_pid: int
    first_process: str | None  # the name of PID 1; None if unknown
    in_ecs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All collected facts about one queue, and about the machine. `settings` name this queue alone.

    `queue` and `dead_letters` are attributes by their SQS names, empty if unreadable. `subscribers`
    are the endpoints of the topic, None if unreadable. `answers` has each probe that was tried:
    None if AWS allowed it, else the refusal.
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
        return is_fifo(self.url)

    @property
    def url(self) -> str:
        """The queue's URL."""
        return self.settings.queues[0].url

    @property
    def redrive(self) -> Redrive | None:
        """The queue's redrive policy, or None."""
        return redrive(self.queue)

    def missing(self, probe: Probe) -> bool:
        """Whether AWS answered this probe that the resource does not exist."""
        return isinstance(self.answers.get(probe), NotFound)

    def denied(self, probe: Probe) -> bool:
        return isinstance(self.answers.get(probe), Denied)


Check = Callable[[Facts], Finding | None]  # None: the check does not apply to this set-up
