"""Reads the log lines about a message from CloudWatch Logs."""

import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from watchbot.aws import Client

NEWEST_BYTES = 51_200


async def recent(logs: Client, log_group: str, message_id: str, since_s: int) -> str:
    """The newest 50 KB of the lines about a message; empty without any.

    `log_group` is a name or an ARN. Raises `AwsError`.
    """
    kept: deque[str] = deque()
    kept_bytes = 0
    async for event in events(logs, log_group, message_id, since_s):
        line = event["message"].rstrip("\n") + "\n"
        kept.append(line)
        kept_bytes += len(line.encode())
        while kept_bytes > NEWEST_BYTES and len(kept) > 1:
            kept_bytes -= len(kept.popleft().encode())
    return "".join(kept).encode()[-NEWEST_BYTES:].decode(errors="ignore")


async def events(
    logs: Client, log_group: str, message_id: str, since_s: int
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields CloudWatch's events with this id, the oldest first: `message`, `logStreamName`, ….

    `log_group` is a name or an ARN. Raises `AwsError`.
    """
    token: dict[str, str] = {}
    while True:
        answer = await logs.call(
            "filter_log_events",
            logGroupName=_name(log_group),
            startTime=int((time.time() - since_s) * 1000),
            filterPattern=f'"{message_id}"',
            **token,
        )
        for event in answer.get("events", ()):
            yield event
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _name(log_group: str) -> str:
    """The name in arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*, or the name unchanged."""
    parts = log_group.split(":")
    return parts[6] if log_group.startswith("arn:") and len(parts) > 6 else log_group
