"""`watchbot listen`."""

import functools

import click

from watchbot import logs
from watchbot.cli.options import TAKES_A_COMMAND, command_words, options, warn_of_unknown_variables
from watchbot.settings.listen import ListenSettings


@click.command(context_settings=TAKES_A_COMMAND)
@options(ListenSettings)
@command_words
def listen(settings: ListenSettings, words: tuple[str, ...]) -> int:
    """Run COMMAND for every message of a queue.

    The message is in the variables Subject, Message, MessageId and others, and on standard input.
    One COMMAND word with spaces or shell syntax is run by /bin/sh.

    \b
    COMMAND exits  the message is            notification
    0              deleted                   no
    3              deleted                   yes
    4              tried again after a pause no
    other, signal  tried again after a pause yes
    """
    from watchbot import lifecycle
    from watchbot.listen.service import listen

    logs.configure(structured=settings.structured_logging)
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(listen, settings, words))
