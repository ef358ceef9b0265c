"""`watchbot top`."""

import click

from watchbot.cli.options import options
from watchbot.settings.top import TopSettings


@click.command
@options(TopSettings, without=["region", "endpoint_url"])
def top(settings: TopSettings) -> int:
    """Show what watchers do, live.

    What waits, workers busy, outcomes per second, how long workers ran in the last minute (p50,
    p95), and the last failures. Lines of text where it is no terminal. Ctrl-C leaves.
    """
    from watchbot.top.service import top

    return top(settings)
