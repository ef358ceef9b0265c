"""All errors of watchbot. Each says, in one line, what is wrong and how to mend it.

WatchbotError           exit 1
├── UsageError          exit 2: an argument, a setting or the installation is wrong
│   ├── SettingError    an option or its variable is missing or bad
│   ├── CommandError    the command to run cannot be found or run
│   ├── BadSchedule     a text that names times cannot be read, or names none
│   ├── MissingExtra    an optional part of watchbot is not installed
│   └── NotInRun        a worker's request was made outside a run
├── NotGranted          the watcher refused a worker's request, or did not answer
├── OutputFailed        standard output cannot be written
├── DatabaseError       a database refused or failed
│   ├── DatabaseDown    the database cannot be reached, or is full or busy
│   ├── NoDatabase      the database's file does not exist
│   ├── DatabaseTooNew  a newer watchbot made the tables
│   ├── DatabaseTooOld  the tables lack what this watchbot reads
│   └── DataRefused     the database cannot store this value
├── JobError            a call about a map-reduce job failed
│   ├── NoSuchJob       the job was never begun, or has expired (exit 2)
│   ├── NoSuchPart      the job has no part with this number (exit 2)
│   ├── JobDiffers      the job was begun with other parts (exit 2)
│   ├── JobFailed       the job is marked as failed
│   ├── MessagesUnsent  some messages of the job could not be sent
│   └── ReduceUnsent    nobody has confirmed that the reduce message was sent
└── AwsError            an AWS call failed
    ├── NotFound        the queue, topic or table does not exist
    ├── Denied          AWS refuses the credentials, or they allow too little
    ├── NotConfigured   no credentials, no region (exit 2)
    │   └── SignInNeeded  the credentials have expired; a person has to sign in again
    ├── Unreachable     no answer: endpoint down, name unknown, connection lost, time out
    │   ├── GaveUp       no answer came within a tool's patience
    │   └── CredentialsAway  the source of the credentials gives none right now
    ├── Throttled       too many requests
    └── Rejected        AWS says that the request itself is wrong
"""

from typing import TypeVar

from watchbot.extras import how_to_add

Kind = TypeVar("Kind", bound=BaseException)


class WatchbotError(Exception):
    """An error to show to a person; `str()` is the whole sentence."""

    exit_code = 1


class OutputFailed(WatchbotError):
    """Standard output cannot be written: its disk is full, or its terminal is gone."""

    def __init__(self, fault: OSError) -> None:
        super().__init__(f"cannot write to standard output: {fault.strerror}")


class UsageError(WatchbotError):
    """A mistake in an argument or a setting; watchbot has done nothing yet."""

    exit_code = 2


class SettingError(UsageError):
    """An option is missing or bad."""

    def __init__(self, names: str, problem: str) -> None:
        super().__init__(f"{names}: {problem}" if names else problem)


class CommandError(UsageError):
    """The command cannot be run."""

    def __init__(self, word: str, problem: str) -> None:
        super().__init__(f"cannot run {word!r}: {problem}")


class BadSchedule(UsageError):
    """A schedule or time zone cannot be used; the text says why."""


class MissingExtra(UsageError):
    """An optional part of watchbot is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs more packages: {how_to_add(extra)}")


class NotInRun(UsageError):
    """A request that only a worker can make was made where no watcher runs one."""


class NotGranted(WatchbotError):
    """The watcher refused what its worker asked for, or did not answer."""


class DatabaseError(WatchbotError):
    """A database refused or failed. `shown_url` is its URL, without a password."""

    hint = "check its URL, and what its user may do"
    transient = False  # the call may succeed later unchanged

    def __init__(self, shown_url: str, text: str) -> None:
        self.shown_url, self.text = shown_url, text
        super().__init__(f"database {shown_url}: {text}; {self.hint}")


class DatabaseDown(DatabaseError):
    """The database cannot be reached, or is full or busy."""

    hint = "check that it runs, and its URL"
    transient = True


class DatabaseUnwritable(DatabaseError):
    """This user cannot open or write the database's file."""

    hint = "name a file that this user can write"


class NoDatabase(DatabaseError):
    """The database's file does not exist, and the command must not make it."""

    hint = "check the path, and the directory that it starts from"

    def __init__(self, shown_url: str) -> None:
        super().__init__(shown_url, "there is no such file")


class DatabaseTooNew(DatabaseError):
    """A newer watchbot made the tables of this database."""

    hint = "upgrade watchbot, or name another database"


class DatabaseTooOld(DatabaseError):
    """The tables of this database lack what this watchbot reads."""

    hint = "upgrade the service that writes it, which changes the tables when it starts"


class DataRefused(DatabaseError):
    """The database cannot store this value, now or later."""

    hint = "change the value"


class JobError(WatchbotError):
    """A call about a map-reduce job failed. `job` is its id."""

    def __init__(self, job: str, problem: str) -> None:
        self.job = job
        super().__init__(f"job {job!r}: {problem}")


class NoSuchJob(JobError):
    """The job was never begun, or has expired."""

    exit_code = 2

    def __init__(self, job: str) -> None:
        super().__init__(job, "does not exist; `watchbot progress set-total` begins it")


class NoSuchPart(JobError):
    """The job has no part with this number."""

    exit_code = 2

    def __init__(self, job: str, part: int, parts: range) -> None:
        super().__init__(job, f"has no part {part}; its parts are {parts[0]} to {parts[-1]}")


class JobDiffers(JobError):
    """The job exists with other parts."""

    exit_code = 2

    def __init__(self, job: str, parts: range) -> None:
        problem = f"was begun with the parts {parts[0]} to {parts[-1]}; give a new job a new id"
        super().__init__(job, problem)


class JobFailed(JobError):
    """The job has been marked as failed."""

    def __init__(self, job: str, reason: object) -> None:
        super().__init__(job, f"has failed: {reason}")


class MessagesUnsent(JobError):
    """Some messages of the job could not be sent."""

    def __init__(self, job: str, unsent: int, text: str) -> None:
        super().__init__(job, f"messages not sent: {unsent} ({text}); do the same once more")


class ReduceUnsent(JobError):
    """All parts are done, but nobody has confirmed the reduce message."""

    def __init__(self, job: str) -> None:
        super().__init__(job, "its reduce message is not known to be sent; try again in a minute")


class AwsError(WatchbotError):
    """An AWS call failed.

    `code` is the service's name of the error, `text` its explanation; neither holds secrets.
    """

    hint = "try again later"
    transient = True  # the call may succeed later unchanged

    def __init__(
        self, *, service: str, operation: str, code: str, text: str, hint: str = ""
    ) -> None:
        self.service, self.operation, self.code, self.text = service, operation, code, text
        self.hint = hint or self.hint
        super().__init__(f"{service} {operation} failed: {code}: {text}; {self.hint}")


class NotFound(AwsError):
    """The queue, topic, table or other resource does not exist."""

    transient = False
    hint = "check its name, account and region (--region), and the endpoint"


class Denied(AwsError):
    """AWS refuses the credentials, or they allow too little."""

    transient = False
    hint = "check the credentials, and the IAM policy for this action"


class NotConfigured(AwsError):
    """No credentials or region were found; no call was made."""

    exit_code = 2
    transient = False
    hint = "set AWS_REGION (or --region) and credentials, see `aws configure`"


class SignInNeeded(NotConfigured):
    """The credentials have expired; a person has to sign in again."""


class Unreachable(AwsError):
    """The endpoint gave no answer."""

    hint = "check the network, and --endpoint-url or AWS_ENDPOINT_URL"


class GaveUp(Unreachable):
    """No answer came within a tool's patience, and the tool gives up."""

    transient = False


class CredentialsAway(Unreachable):
    """The source of the credentials (agent, process or service) gives none right now."""


class Throttled(AwsError):
    """AWS asks for fewer requests."""


class Rejected(AwsError):
    """AWS says that the request is wrong."""

    transient = False
    hint = "the request will not succeed as it is"
    reasons: tuple[str, ...] = ()  # for a transaction: an error code for each of its parts


def first_expected(group: BaseExceptionGroup[BaseException]) -> WatchbotError | None:
    """The first `WatchbotError` in a group."""
    return first_of(group, WatchbotError)


def first_of(group: BaseExceptionGroup[BaseException], kind: type[Kind]) -> Kind | None:
    """The first error of a kind in a group: each nested task group wraps the error once more."""
    found: BaseException | None = group.subgroup(kind)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, kind) else None
