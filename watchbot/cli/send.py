"""`watchbot send`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.send import SendSettings


@click.command
@options(SendSettings, without=["body"])
@click.argument("body", required=False, metavar="[BODY | -]")
def send(settings: SendSettings) -> int:
    """Send messages to a topic or a queue.

    BODY, or standard input for a BODY of -, is one message; with --file each line is one. Prints
    the message ids. What could not be sent is named, and the exit code is 1.
    """
    from watchbot.send.service import send

    return asyncio.run(send(settings))
