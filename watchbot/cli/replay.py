"""Defines `watchbot replay`."""

import functools

import click

from watchbot.cli.options import AfterDashes, options, words_after
from watchbot.logs import setup
from watchbot.settings.replay import ReplaySettings

# What matters to many runs only, or to a queue.
_IDLE = (
    *("visibility_timeout", "drain_timeout", "volumes", "writable_filesystem", "log_bodies"),
    *("metrics_port", "metrics_host", "exit_when_empty", "exit_wait", "poll_wait", "breaker"),
    *("on_lost_lease", "no_protection", "give_up_after", "concurrency", "batch_window"),
    *("recycle_after", "recycle_memory", "max_in_hand_bytes", "structured_logging"),
)


@click.command(cls=AfterDashes, example="watchbot replay message.json -- ./work.sh")
@click.argument("message", required=False, metavar="[MESSAGE]")
@options(ReplaySettings, without=_IDLE)
def replay(settings: ReplaySettings, message: str | None) -> int:
    """Run COMMAND for one message here, as `watchbot listen` would.

    MESSAGE is a file: an answer of `aws sqs receive-message`, a line of
    `watchbot dead-letter export`, a test event of Lambda, or a body; -: standard input. Or it is
    the id of a dead letter, which stays in its queue.

    Shows the variables that COMMAND gets, what it prints, how it ends, and what would become of the
    message. Exits with 0 if COMMAND completes the message, else with 1.
    """
    from watchbot import lifecycle
    from watchbot.replay.service import replay

    setup.configure(structured=False)
    return lifecycle.run(functools.partial(replay, settings, message, words_after()))
