"""Defines `watchbot status`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.status import StatusSettings


@click.command
@options(StatusSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a queue, one a line.")
def status(settings: StatusSettings, as_json: bool) -> int:
    """Show what is in queues, and whether they are paused.

    Shows the messages that are visible, in flight and delayed, as SQS counts them (about a minute
    late); the age of the oldest, from CloudWatch or from watchers (--watcher); the dead letters,
    the dead-letter queue and after how many receives a message goes there; who paused the queue,
    when and why. Changes nothing. Exits with 1 if a queue could not be read.
    """
    from watchbot.queues.status import status

    return asyncio.run(status(settings, as_json=as_json))
