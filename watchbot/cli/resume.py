"""Defines `watchbot resume`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.pause import ResumeSettings


@click.command
@options(ResumeSettings)
def resume(settings: ResumeSettings) -> int:
    """Resume queues that `watchbot pause` has paused.

    Removes the tag of each queue. Exits with 1 if a queue was refused; the others are resumed.
    """
    from watchbot.queues.pausing import resume

    return asyncio.run(resume(settings))
