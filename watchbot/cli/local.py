"""Defines `watchbot local`."""

import functools

import click

from watchbot.cli.options import TAKES_A_COMMAND, command_words, options, warn_of_unknown_variables
from watchbot.logs import setup
from watchbot.settings.local import LocalSettings


@click.command(context_settings=TAKES_A_COMMAND)
@options(LocalSettings, without=["region", "endpoint_url"])
@command_words
def local(settings: LocalSettings, words: tuple[str, ...]) -> int:
    """Run a queue and its watcher here, without an AWS account.

    Serves an embedded SQS, SNS and DynamoDB, in memory, on 127.0.0.1: a topic, a queue that the
    topic feeds, and a table for `watchbot progress`. Runs COMMAND for every message; without
    COMMAND, messages wait in the queue. Prints how to send messages from another terminal. Ctrl-C
    ends it.
    """
    from watchbot import lifecycle
    from watchbot.local.run import local

    setup.configure(structured=settings.structured_logging)
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(local, settings, words))
