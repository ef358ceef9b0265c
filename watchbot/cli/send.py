"""Defines `watchbot send`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.send import SendSettings


@click.command
@options(SendSettings, without=["body"])
@click.argument("body", required=False, metavar="[BODY | -]")
def send(settings: SendSettings) -> int:
    """Send messages to a topic or a queue.

    Sends BODY as one message; a BODY of - stands for standard input. With --file, sends each line
    as a message. Prints the message ids; or, with --at, the names of the jobs of a scheduler that
    sends them then. Names each message that it could not send, and then exits with 1.
    """
    from watchbot.send.service import send

    return asyncio.run(send(settings))
