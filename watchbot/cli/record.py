"""Defines `watchbot record`."""

import functools

import click

from watchbot.cli.options import options, warn_of_unknown_variables
from watchbot.logs import setup
from watchbot.settings.record import RecordSettings


@click.command
@options(RecordSettings)
def record(settings: RecordSettings) -> int:
    """Keep the state of every ECS task in a database.

    Receives the events of ECS from a queue, to which an EventBridge rule for source aws.ecs sends
    them. Keeps the newest state of each task, and its history. Makes its tables itself. Query them
    with `watchbot tasks`, or in SQL.
    """
    from watchbot import lifecycle
    from watchbot.record.service import record

    setup.configure(structured=settings.structured_logging, who="recorder")
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(record, settings))
