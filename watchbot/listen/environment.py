"""What a worker is given: its variables, and its message."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from watchbot.settings.base import MAX_VARIABLE_BYTES
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Attribute, Message, timestamp

# What only a message may set, and what each holds; docs/reference/worker.md shows this.
WORKER_VARIABLES = {
    "Message": "The text of the message, out of its SNS envelope if it has one (see `--envelope`).",
    "MessageFile": "Instead of `Message`: a file (0600) with the body, when it is over 131,063 "
    "bytes or holds what no variable can (a NUL, a lone surrogate). With `--no-stdin`: always.",
    "Subject": "The subject of the SNS envelope, or empty.",
    "SubjectFile": "Instead of `Subject`: a file (0600), when it is too long for a variable.",
    "MessageId": "As SQS says.",
    "ApproximateReceiveCount": "How often it was received, this time included.",
    "SentTimestamp": "When it was sent, in ISO 8601.",
    "ApproximateFirstReceiveTimestamp": "When it was first received, in ISO 8601.",
    "MessageAttributes": 'JSON, where there are any: `{"name": {"Type": "String", "Value": "…"}}`; '
    "a binary value is base64.",
    "MessageAttributesFile": "Instead of `MessageAttributes`: a file (0600) with the JSON, when it "
    "is over 131,053 bytes.",
    "MessageGroupId": "Where it has one.",
    "MessageDeduplicationId": "Of a FIFO queue.",
    "SequenceNumber": "Of a FIFO queue.",
    "TopicArn": "Of the SNS envelope, where there is one.",
    "TRACEPARENT": "The W3C trace that the message carries, where it does.",
    "TRACESTATE": "The same.",
    "_X_AMZN_TRACE_ID": "The X-Ray trace that the message carries, where it does.",
    "WATCHBOT_WORKER": "The slot of this worker, from 0 to one less than `--concurrency`.",
    "WATCHBOT_DEADLINE": "When it will be told to end, in seconds since 1970.",
    "WATCHBOT_SCRATCH": "A directory of its own (0700), empty; it is deleted after the run.",
    "TMPDIR": "The same directory.",
}


# How the AWS libraries find the watcher's own credentials: in variables, or at the address of the
# container's agent.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and until when one worker runs: its slot, its directory, its end in epoch seconds."""

    worker: int
    scratch: str
    deadline: float


def base_environment(*, structured: bool = False, credentials: bool = True) -> dict[bytes, bytes]:
    """The watcher's own environment, without the names that only a message may set.

    With `structured`, its tools log JSON, as the watcher does, also where a flag had asked for it.
    Without `credentials`, no variable gives or names credentials of AWS. Python prints lines as
    they come, unless the watcher's environment says otherwise.
    """
    kept_back = {*WORKER_VARIABLES} if credentials else {*WORKER_VARIABLES, *_CREDENTIALS}
    base = {
        name: value for name, value in os.environb.items() if os.fsdecode(name) not in kept_back
    }
    base = {b"PYTHONUNBUFFERED": b"1", **base}
    return {**base, b"WATCHBOT_STRUCTURED_LOGGING": b"true"} if structured else base


def is_worker() -> bool:
    """Whether this process runs for a message of another watcher, on this machine."""
    scratch = os.environ.get("WATCHBOT_SCRATCH")
    return bool(scratch and "MessageId" in os.environ and os.path.isdir(scratch))


def stack_name() -> str | None:
    """The CloudFormation stack this service belongs to, where its template says so."""
    return os.environ.get("StackName") or None


def worker_environment(
    base: Mapping[bytes, bytes], message: Message, content: Content, place: Place
) -> dict[bytes, bytes]:
    """All variables of a worker, ready for exec.

    Without those whose text fits in no variable: too long, or with NUL or lone surrogates.
    """
    variables = {
        "Subject": _clean(content.subject),
        "MessageId": message.id,
        "SentTimestamp": _time(message.sent_ms),
        "ApproximateFirstReceiveTimestamp": _time(message.first_received_ms),
        "ApproximateReceiveCount": str(message.receives),
        "WATCHBOT_WORKER": str(place.worker),
        "WATCHBOT_DEADLINE": f"{place.deadline:.3f}",
        "WATCHBOT_SCRATCH": place.scratch,
        "TMPDIR": place.scratch,
    }
    for name in ("MessageGroupId", "MessageDeduplicationId", "SequenceNumber"):
        if name in message.system:
            variables[name] = message.system[name]
    if content.topic_arn:
        variables["TopicArn"] = content.topic_arn
    if content.attributes:
        variables["MessageAttributes"] = _json(content.attributes)
    variables.update(_trace(message, content.attributes))
    environment = {**base, **_fitting(variables)}
    body = _encoded(content.body)
    if body is not None and len(b"Message=") + len(body) < MAX_VARIABLE_BYTES:
        environment[b"Message"] = body
    return environment


def message_texts(content: Content) -> dict[str, bytes]:
    """What of a message may need a file, by the variable that it is in where it fits."""
    texts = {"Message": message_bytes(content)}
    if content.attributes:
        texts["MessageAttributes"] = _json(content.attributes).encode()
    if content.subject:
        texts["Subject"] = content.subject.encode(errors="surrogatepass")
    return texts


def with_files(
    environment: Mapping[bytes, bytes], texts: Mapping[str, bytes], scratch: str
) -> dict[bytes, bytes]:
    """The same with texts in files (0600), named by `MessageFile` and alike, and in no variable.

    One that has its file keeps it. Raises `OSError` when a file cannot be written.
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


def message_bytes(content: Content) -> bytes:
    """The message as standard input gives it: UTF-8, with a lone surrogate as its three bytes."""
    return content.body.encode(errors="surrogatepass")


def _time(milliseconds: int | None) -> str:
    return "" if milliseconds is None else timestamp(milliseconds)


def _json(attributes: Mapping[str, Attribute]) -> str:
    # Escaped to ASCII, it holds no NUL and no surrogate, whatever the attributes hold.
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
    """A title may lose a character that no variable can hold; a body may not."""
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
