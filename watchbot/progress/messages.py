"""The messages of a job: `map` for each part, then one `reduce`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchbot.errors import MessagesUnsent, UsageError
from watchbot.sqs.destination import Destination
from watchbot.sqs.outgoing import Outgoing, Unsent
from watchbot.sqs.publish import Publisher


def map_messages(job: str, parts: Sequence[Mapping[str, Any]], metadata: Any) -> list[Outgoing]:
    """A message for each part: its fields, `partid` (from 0), `jobid` and `metadata`.

    Raises `UsageError` for a part that JSON cannot hold.
    """
    return [
        _message("map", job, str(part), {**facts, "partid": part, **_common(job, metadata)})
        for part, facts in enumerate(parts)
    ]


def reduce_message(job: str, metadata: Any) -> Outgoing:
    """The message that tells workers that all parts are done."""
    return _message("reduce", job, "reduce", _common(job, metadata))


async def send(destination: Destination, job: str, messages: Sequence[Outgoing]) -> None:
    """Sends all messages. Raises `MessagesUnsent` for refused ones, and `AwsError`."""
    fitting = messages if destination.fifo else [_plain(message) for message in messages]
    unsent = [
        result
        async for result in Publisher(destination).publish(fitting)
        if isinstance(result, Unsent)
    ]
    if unsent:
        raise MessagesUnsent(job, len(unsent), f"{unsent[0].code}: {unsent[0].text}")


def _common(job: str, metadata: Any) -> dict[str, Any]:
    return {"jobid": job, "metadata": metadata}


def _message(subject: str, job: str, part: str, facts: Mapping[str, Any]) -> Outgoing:
    try:
        body = json.dumps(facts)
    except (TypeError, ValueError) as fault:
        raise UsageError(f"job {job!r}: part {part} cannot be written as JSON: {fault}") from fault
    # For a FIFO queue. Each part has a group, so that parts do not wait for each other. A digest,
    # because a job's id may be too long for SQS, or hold characters that SQS refuses.
    name = hashlib.sha256(f"{part} {job}".encode()).hexdigest()
    return Outgoing(body=body, subject=subject, group_id=name, dedup_id=name)


def _plain(message: Outgoing) -> Outgoing:
    return replace(message, group_id=None, dedup_id=None)
