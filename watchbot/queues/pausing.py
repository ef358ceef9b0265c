"""`watchbot pause` and `watchbot resume`: set and remove the tags that watchers look for."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import click

from watchbot.errors import AwsError, Denied
from watchbot.queues.caller import caller
from watchbot.queues.named import given, opened
from watchbot.settings.base import AwsEndpoint
from watchbot.settings.pause import PauseSettings, ResumeSettings
from watchbot.settings.whereabouts import queue_name
from watchbot.sqs import pause as tags
from watchbot.sqs.pause import Pause
from watchbot.sqs.queue import SqsQueue


async def pause(settings: PauseSettings) -> int:
    """Pauses the queues, and prints a line for each; returns 1 if one of them was refused, else 0.

    Raises `SettingError` without a queue, and `AwsError` if no client can be opened.
    """
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    known: dict[AwsEndpoint | None, str] = {}

    async def one(queue: SqsQueue) -> str:
        beside = settings.aws.beside(queue.url)
        if beside not in known:
            known[beside] = await caller(beside)
        written = Pause(reason=settings.reason, by=known[beside], at=at)
        return f"paused: {await tags.write(queue, written)}"

    return await _each(settings, one)


async def resume(settings: ResumeSettings) -> int:
    """Ends the pauses of the queues, and prints a line for each; returns and raises as `pause`."""

    async def one(queue: SqsQueue) -> str:
        try:
            before = await tags.read(queue)
        except Denied:  # who may end a pause need not be allowed to read it
            before = Pause()
        await tags.clear(queue)
        return "was not paused" if before is None else f"resumed; was paused: {before}"

    return await _each(settings, one)


async def _each(
    settings: PauseSettings | ResumeSettings, one: Callable[[SqsQueue], Awaitable[str]]
) -> int:
    refused = False
    async with opened(given(settings.queue_url), settings.aws) as clients:
        for url, client in clients.items():
            name = queue_name(url)
            try:
                click.echo(f"{name}: {await one(SqsQueue(client, url))}")
            except AwsError as error:
                refused = True
                click.echo(f"watchbot: {name}: {error}", err=True)
    return int(refused)
