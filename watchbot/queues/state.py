"""Reads what SQS knows of queues: messages, pause, dead-letter queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from watchbot.aws import Client
from watchbot.errors import AwsError
from watchbot.settings.whereabouts import queue_name
from watchbot.sqs.counts import counts
from watchbot.sqs.pause import Pause, read
from watchbot.sqs.queue import SqsQueue
from watchbot.sqs.redrive import Redrive, redrive

AT_ONCE = 5  # queues; an account has few calls of ListQueueTags a second


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What is known of a queue. `unknown` has a reason for each thing that could not be read.

    Ages are in seconds; `oldest_from` says who knew it. `dead_letters` are the visible messages of
    the dead-letter queue. `sources` are the shown queues whose dead-letter queue this one is.
    """

    url: str
    error: AwsError | None = None  # of the attributes: then nothing else is known
    arn: str = ""
    messages: Mapping[str, int] = field(default_factory=dict)  # visible, in_flight, delayed
    oldest_s: float | None = None
    oldest_from: str | None = None
    pause: Pause | None = None
    redrive: Redrive | None = None
    dead_letters: int | None = None
    sources: Sequence[str] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The queue's name."""
        return queue_name(self.url)


async def states(clients: Mapping[str, Client]) -> list[QueueState]:
    """The states of the queues, in order, without ages; `clients` are by URL.

    Raises no `AwsError`: the state says what could not be read.
    """
    found: dict[str, QueueState] = {}
    few = anyio.CapacityLimiter(AT_ONCE)

    async def one(url: str, client: Client) -> None:
        async with few:
            found[url] = await _state(client, url)

    async with anyio.create_task_group() as looking:
        for url, client in clients.items():
            looking.start_soon(one, url, client)
    return _with_sources([found[url] for url in clients])


async def _state(client: Client, url: str) -> QueueState:
    queue = SqsQueue(client, url)
    try:
        facts = await queue.facts()
    except AwsError as error:
        return QueueState(url=url, error=error)
    arn, policy = facts.get("QueueArn", ""), redrive(facts)
    state = QueueState(url=url, arn=arn, messages=counts(facts), redrive=policy)
    state = await _with_pause(state, queue)
    if policy is None:
        return state
    return await _with_dead_letters(state, SqsQueue(client, policy.target_url(url)))


async def _with_pause(state: QueueState, queue: SqsQueue) -> QueueState:
    try:
        return replace(state, pause=await read(queue))
    except AwsError as error:
        return replace(state, unknown={**state.unknown, "paused": _why(error)})


async def _with_dead_letters(state: QueueState, dead_queue: SqsQueue) -> QueueState:
    try:
        dead = await dead_queue.facts()
    except AwsError as error:
        return replace(state, unknown={**state.unknown, "dead_letters": _why(error)})
    return replace(state, dead_letters=counts(dead)["visible"])


def _with_sources(found: Sequence[QueueState]) -> list[QueueState]:
    sources: dict[str, list[str]] = {}
    for state in found:
        if state.redrive:
            sources.setdefault(state.redrive.target_arn, []).append(state.name)
    return [replace(state, sources=tuple(sources.get(state.arn, ()))) for state in found]


def _why(error: AwsError) -> str:
    return f"{error.operation}: {error.code}"
