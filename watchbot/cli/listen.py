"""Defines `watchbot listen`."""

import functools

import click

from watchbot.cli.options import TAKES_A_COMMAND, command_words, options, warn_of_unknown_variables
from watchbot.logs import setup
from watchbot.outcome import TABLE
from watchbot.settings.listen import ListenSettings

_HELP = """Run COMMAND for every message of a queue.

COMMAND gets the message in the variables Subject, Message, MessageId and others, and on standard
input. /bin/sh runs a COMMAND that is one word with spaces or shell syntax.

\b
COMMAND exits                            outcome    notification
"""
_LINES = """

With --batch-size over 1, or --warm lines, COMMAND reads the messages from standard input, one
JSON object a line, with these names. It answers each, in order, with a line on descriptor 3: an
exit code, and words for the notice. Without --warm, its own exit code answers the rest. With
--warm, the end of the input asks it to leave.

\b
watchbot listen --queue-url URL --batch-size 10 jq -r .Message
watchbot listen --queue-url URL --warm lines \\
  'while IFS= read -r message; do echo "$message"; echo $? >&3; done'
watchbot listen --queue-url URL --warm lambda --batch-size 10 \\
  python -m awslambdaric app.handler
"""
_ROWS = (
    f"{row.end.replace('`', ''):<40} {row.outcome.name:<10} {'yes' if row.outcome.notify else 'no'}"
    for row in TABLE
)


@click.command(help=_HELP + "\n".join(_ROWS) + _LINES, context_settings=TAKES_A_COMMAND)
@options(ListenSettings)
@command_words
def listen(settings: ListenSettings, words: tuple[str, ...]) -> int:
    from watchbot import lifecycle
    from watchbot.listen.service import listen

    setup.configure(structured=settings.structured_logging, of_queues=len(settings.queues) > 1)
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(listen, settings, words))
