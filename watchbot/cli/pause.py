"""Defines `watchbot pause`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.pause import PauseSettings


@click.command
@options(PauseSettings)
def pause(settings: PauseSettings) -> int:
    """Pause queues: watchers finish what they have, and take no more.

    Sets a tag on each queue, with the reason, your ARN and the time. All watchers of the queue see
    it within 15 seconds or so. `watchbot resume` ends the pause. Exits with 1 if a queue was
    refused; the others are paused.
    """
    from watchbot.queues.pausing import pause

    return asyncio.run(pause(settings))
