"""Defines `watchbot console`."""

import functools

import click

from watchbot.cli.options import options, warn_of_unknown_variables
from watchbot.logs import setup
from watchbot.settings.console import ConsoleSettings


@click.command
@options(ConsoleSettings)
def console(settings: ConsoleSettings) -> int:
    """Serve one site for whoever is paged.

    Shows what needs a person first: failing kinds, dead letters, paused and stuck queues, watchers
    that are away. Pauses and resumes queues, replays, edits and deletes dead letters, and notes
    each action in an audit. Beyond loopback it wants a token.
    """
    from watchbot import lifecycle
    from watchbot.console.service import console

    setup.configure(structured=settings.structured_logging, who="console")
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(console, settings))
