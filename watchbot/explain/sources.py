"""Where lines about a message come from, and what the record of tasks says of their containers."""

import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import nullcontext

from watchbot.aws import open_client
from watchbot.deadletter import logs
from watchbot.errors import WatchbotError
from watchbot.explain.line import Event, read_line
from watchbot.record.answers import find
from watchbot.record.tables import COMPONENT, PACKAGE
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.record import DatabaseSettings
from watchbot.sql.database import open_database
from watchbot.sql.migrate import verify

_TASK_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}")


def from_file(path: str, message_id: str) -> Iterator[Event]:
    """The events of a file, `-` for standard input, in its order. Raises `WatchbotError`."""
    try:
        with nullcontext(sys.stdin) if path == "-" else open(path, errors="replace") as file:
            source = "standard input" if path == "-" else path
            for line in file:
                if event := read_line(line.rstrip("\n"), message_id, source):
                    yield event
    except OSError as error:
        raise WatchbotError(f"{path}: cannot be read: {error.strerror}") from error


async def from_cloudwatch(
    aws: AwsEndpoint, log_group: str, message_id: str, since_s: int
) -> AsyncIterator[Event]:
    """The events of a log group, in order of time. Raises `AwsError`."""
    async with open_client("logs", aws) as client:
        async for entry in logs.events(client, log_group, message_id, since_s):
            at, source = entry["timestamp"] / 1000, entry.get("logStreamName", log_group)
            if event := read_line(entry["message"].rstrip("\n"), message_id, source, at):
                yield event


async def tasks_of(settings: DatabaseSettings, sources: Iterable[str]) -> Mapping[str, str]:
    """How the tasks of these log streams ended, where the record knows them.

    The awslogs driver ends the name of a stream with the id of the task. Raises `DatabaseError`.
    """
    told = {}
    async with open_database(settings.database, connections=1, create=False) as database:
        await verify(database, COMPONENT, PACKAGE)
        for source in sources:
            task_id = source.rpartition("/")[2]
            row = await find(database, task_id) if _TASK_ID.fullmatch(task_id) else None
            if row is not None:
                words = (row["outcome"] or row["last_status"], row["stopped_reason"])
                when = f" at {row['ended_at']}" if row["ended_at"] else ""
                told[source] = ": ".join(str(word) for word in words if word) + when
    return told
