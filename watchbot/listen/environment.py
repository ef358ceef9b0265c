"""Builds a worker's environment variables, and the files that hold its message."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchbot.settings.base import MAX_VARIABLE_BYTES, variables
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Attribute, Message, timestamp

# Variables that only a message may set. docs/reference/worker.md shows these texts.
WORKER_VARIABLES = {
    "Message": "The text of the message, out of its SNS envelope if it has one (see `--envelope`).",
    "MessageFile": "Path of a file (0600) with the body, set instead of `Message` when the body is "
    "over 131,063 bytes or holds a NUL or a lone surrogate, or was fetched (see "
    "`--payload-buckets`). With `--no-stdin`: always set.",
    "Subject": "The subject of the SNS envelope, or empty.",
    "SubjectFile": "Path of a file (0600), set instead of `Subject` when the subject is too long "
    "for a variable.",
    "MessageId": "The message's id in SQS.",
    "QueueUrl": "The URL of the message's queue.",
    "ApproximateReceiveCount": "The number of receives of the message, this one included.",
    "SentTimestamp": "The time when the message was sent, in ISO 8601.",
    "ApproximateFirstReceiveTimestamp": "The time of the message's first receive, in ISO 8601.",
    "MessageAttributes": 'The message attributes as JSON: `{"name": {"Type": "String", "Value": '
    '"…"}}`; a binary value is base64. Unset without attributes.',
    "MessageAttributesFile": "Path of a file (0600) with the JSON, set instead of "
    "`MessageAttributes` when the JSON is over 131,053 bytes.",
    "MessageGroupId": "The message group, if the message has one.",
    "MessageDeduplicationId": "The deduplication id (FIFO queues only).",
    "SequenceNumber": "The sequence number (FIFO queues only).",
    "TopicArn": "The ARN of the SNS topic, if the message has an SNS envelope.",
    "TRACEPARENT": "The W3C `traceparent` of the message, if it has one.",
    "TRACESTATE": "The W3C `tracestate` of the message, if it has one.",
    "_X_AMZN_TRACE_ID": "The X-Ray trace header of the message, if it has one.",
    "WATCHBOT_WORKER": "The slot of this worker, from 0 to one less than `--concurrency`.",
    "WATCHBOT_DEADLINE": "The time when watchbot will end this worker, in seconds since 1970.",
    "WATCHBOT_SCRATCH": "An empty directory (0700) for this run alone. Watchbot deletes it after "
    "the run.",
    "TMPDIR": "The directory of `WATCHBOT_SCRATCH`.",
    "WATCHBOT_CONTROL": "Path of a Unix socket (0600) on which the worker may ask the watcher; see "
    "`watchbot ctl`.",
    "WATCHBOT_CHECKPOINT": "Path of a file with the last checkpoint that an earlier run stored, if "
    "one did (see `--checkpoints`).",
}


# Variables with which the AWS libraries find the watcher's own credentials.
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
}
# What names the watcher's queues; a worker has the queue of its message.
_QUEUE_VARIABLES = variables("queue_url")
# What only a worker that is handed its messages has; docs/reference/lines.md tells of it.
_HANDED_VARIABLES = {"WATCHBOT_BATCH"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One worker's slot, scratch directory and deadline in epoch seconds; `more` variables."""

    worker: int
    scratch: str
    deadline: float
    more: Mapping[str, str] = field(default_factory=dict)


def base_environment(
    *, structured: bool = False, credentials: bool = True, queue_url: str | None = None
) -> dict[bytes, bytes]:
    """The watcher's own environment, without the names that only a message may set.

    With `structured`, watchbot's tools inside the worker log JSON, like the watcher. Without
    `credentials`, the variables that give or name AWS credentials are left out. `queue_url` is the
    queue of all messages, where there is only one. A Python worker does not buffer its output,
    unless the watcher's environment sets PYTHONUNBUFFERED.
    """
    left_out = set() if credentials else _CREDENTIALS
    kept_back = {*WORKER_VARIABLES, *_HANDED_VARIABLES, *_QUEUE_VARIABLES, *left_out}
    base = {
        name: value for name, value in os.environb.items() if os.fsdecode(name) not in kept_back
    }
    base = {b"PYTHONUNBUFFERED": b"1", **base}
    if queue_url is not None:
        base[b"QueueUrl"] = os.fsencode(queue_url)
    return {**base, b"WATCHBOT_STRUCTURED_LOGGING": b"true"} if structured else base


def is_worker() -> bool:
    """Whether another watcher on this machine started this process for a message."""
    scratch = os.environ.get("WATCHBOT_SCRATCH")
    handed = "MessageId" in os.environ or "WATCHBOT_BATCH" in os.environ
    return bool(scratch and handed and os.path.isdir(scratch))


def stack_name() -> str | None:
    """The CloudFormation stack of this service, if its template sets `StackName`; else None."""
    return os.environ.get("StackName") or None


def worker_environment(
    base: Mapping[bytes, bytes], message: Message, content: Content, place: Place
) -> dict[bytes, bytes]:
    """All variables of a worker, ready for exec.

    Leaves out a text that no variable can hold: too long, or with a NUL or a lone surrogate.
    """
    found = {
        **message_facts(message, content),
        "Subject": _clean(content.subject),
        "MessageId": message.id,
        "ApproximateReceiveCount": str(message.receives),
        "WATCHBOT_WORKER": str(place.worker),
        "WATCHBOT_DEADLINE": f"{place.deadline:.3f}",
        "WATCHBOT_SCRATCH": place.scratch,
        "TMPDIR": place.scratch,
        **place.more,
    }
    if content.attributes:
        found["MessageAttributes"] = _json(content.attributes)
    environment = {**base, **_fitting(found)}
    if content.file is not None:
        return {**environment, b"MessageFile": os.fsencode(content.file)}
    body = _encoded(content.body)
    if body is not None and len(b"Message=") + len(body) < MAX_VARIABLE_BYTES:
        environment[b"Message"] = body
    return environment


def message_facts(message: Message, content: Content) -> dict[str, str]:
    """What is known of a message, beside its body and attributes, by the names of variables."""
    facts = {
        "Subject": content.subject,
        "SentTimestamp": _time(message.sent_ms),
        "ApproximateFirstReceiveTimestamp": _time(message.first_received_ms),
    }
    for name in ("MessageGroupId", "MessageDeduplicationId", "SequenceNumber"):
        if name in message.system:
            facts[name] = message.system[name]
    if message.origin.url:
        facts["QueueUrl"] = message.origin.url
    if content.topic_arn:
        facts["TopicArn"] = content.topic_arn
    return {**facts, **_trace(message, content.attributes)}


def standing_environment(
    base: Mapping[bytes, bytes], worker: int, scratch: str, more: Mapping[str, str]
) -> dict[bytes, bytes]:
    """All variables of a process that is handed its messages: none of them has one in it."""
    ours = {"WATCHBOT_WORKER": str(worker), "WATCHBOT_SCRATCH": scratch, "TMPDIR": scratch}
    return {**base, **{name.encode(): os.fsencode(text) for name, text in {**ours, **more}.items()}}


def message_texts(content: Content) -> dict[str, bytes]:
    """The texts of a message that may need a file, by the name of their variable."""
    texts = {"Message": message_bytes(content)}
    if content.attributes:
        texts["MessageAttributes"] = _json(content.attributes).encode()
    if content.subject:
        texts["Subject"] = content.subject.encode(errors="surrogatepass")
    return texts


def with_files(
    environment: Mapping[bytes, bytes], texts: Mapping[str, bytes], scratch: str
) -> dict[bytes, bytes]:
    """The environment with each text in a file (0600) and its path in NAMEFile, as `MessageFile`.

    A text that already has its file keeps it. Raises `OSError` when a file cannot be written.
    """
    changed = dict(environment)
    for name, text in texts.items():
        changed.pop(name.encode(), None)
        if f"{name}File".encode() not in changed:
            path = f"{scratch}/{name.lower()}"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
            changed[f"{name}File".encode()] = os.fsencode(path)
    return changed


def standard_input(content: Content) -> bytes | str:
    """The message for standard input: its bytes, or the path of the file that holds them."""
    return message_bytes(content) if content.file is None else content.file


def message_bytes(content: Content) -> bytes:
    """The message for standard input: UTF-8, with a lone surrogate as its three bytes."""
    return content.body.encode(errors="surrogatepass")


def _time(milliseconds: int | None) -> str:
    return "" if milliseconds is None else timestamp(milliseconds)


def _json(attributes: Mapping[str, Attribute]) -> str:
    # Escaped to ASCII, the JSON holds no NUL and no surrogate, whatever the attributes hold.
    return json.dumps(
        {name: {"Type": item.type, "Value": item.value} for name, item in attributes.items()}
    )


def _trace(message: Message, attributes: Mapping[str, Attribute]) -> dict[str, str]:
    found = {"_X_AMZN_TRACE_ID": message.system.get("AWSTraceHeader", "")}
    by_name = {name.lower(): item.value for name, item in attributes.items()}
    for name in ("traceparent", "tracestate"):
        found[name.upper()] = by_name.get(name, "")
    return {name: value for name, value in found.items() if re.fullmatch(r"[ -~]{1,2048}", value)}


def _clean(text: str) -> str:
    """The subject, with `?` for each character that no variable can hold."""
    return text.encode(errors="replace").replace(b"\0", b"?").decode()


def _encoded(text: str) -> bytes | None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return None
    return None if b"\0" in encoded else encoded


def _fitting(variables: Mapping[str, str]) -> dict[bytes, bytes]:
    encoded = {name.encode(): _encoded(value) for name, value in variables.items()}
    return {
        name: value
        for name, value in encoded.items()
        if value is not None and len(name) + 1 + len(value) < MAX_VARIABLE_BYTES
    }
