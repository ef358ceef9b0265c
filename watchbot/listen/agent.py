"""Calls the ECS agent, which runs on the container's host: metadata and task protection."""

import json
import logging
import socket
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import anyio

MAX_ANSWER_BYTES = 262_144
METADATA_S = 2
_LABEL = "com.amazonaws.ecs."  # the agent puts these on every container

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """The agent's HTTP status, and the JSON object of its body; empty when the body has none."""

    status: int
    content: dict[str, object]


class Ask(Protocol):
    """How the agent is asked; see `ask`."""

    async def __call__(
        self, method: str, url: str, request: object = None, *, within_s: float
    ) -> AgentAnswer: ...


async def ask(method: str, url: str, request: object = None, *, within_s: float) -> AgentAnswer:
    """Sends a request to the agent and returns its answer.

    Raises `OSError` when the agent does not answer within `within_s`.
    """
    try:
        with anyio.fail_after(within_s):
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, json=request, allow_redirects=False) as response,
            ):
                return AgentAnswer(
                    status=response.status, content=_object(await _body(response.content))
                )
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise OSError(str(error) or "no answer") from error


async def _body(content: aiohttp.StreamReader) -> bytes:
    """The body up to the limit: one `read` returns only what has come so far."""
    body = b""
    while part := await content.read(MAX_ANSWER_BYTES - len(body)):
        body += part
    return body


def _object(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


async def this_container(metadata_uri: str | None) -> dict[str, str]:
    """Facts by which a person on call finds this container: its task, and its log stream.

    Outside ECS, and when the agent does not answer within two seconds: only the host's name.
    """
    here = {"Container": socket.gethostname()}
    if metadata_uri is None:
        return here
    try:
        found = (await ask("GET", metadata_uri, within_s=METADATA_S)).content
    except OSError as error:
        log.warning("no metadata from ECS", extra={"reason": str(error)})
        return here
    labels, options = _part(found, "Labels"), _part(found, "LogOptions")
    definition = (labels.get(f"{_LABEL}task-definition-{part}") for part in ("family", "version"))
    facts = {
        **here,
        "Container": found.get("Name") or here["Container"],
        "Task": labels.get(f"{_LABEL}task-arn"),
        "Task definition": ":".join(filter(None, definition)),
        "Log group": options.get("awslogs-group"),
        "Log stream": options.get("awslogs-stream"),
    }
    return {name: str(value) for name, value in facts.items() if value}


def _part(content: dict[str, object], name: str) -> dict[str, str]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}
