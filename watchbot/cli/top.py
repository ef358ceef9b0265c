"""Defines `watchbot top`."""

import click

from watchbot.cli.options import options
from watchbot.settings.top import TopSettings


@click.command
@options(TopSettings, without=["region", "endpoint_url"])
def top(settings: TopSettings) -> int:
    """Show the live state of watchers.

    Shows waiting messages, busy workers, outcomes per second, the durations of workers in the last
    minute (p50, p95), and the last failures. Prints lines of text if standard output is no
    terminal. Ctrl-C ends it.
    """
    from watchbot.top.service import top

    return top(settings)
