"""Defines `watchbot chaos`."""

import functools

import click

from watchbot.cli.options import AfterDashes, options, words_after
from watchbot.settings.chaos import ChaosSettings

# What matters to a queue, or to a service, alone.
_IDLE = (
    *("visibility_timeout", "drain_timeout", "volumes", "writable_filesystem", "log_bodies"),
    *("metrics_port", "metrics_host", "metrics_token", "show_output", "exit_when_empty"),
    *("exit_wait", "poll_wait", "breaker", "on_lost_lease", "no_protection", "give_up_after"),
    *("max_backoff", "max_attempts", "batch_size", "batch_window", "recycle_after"),
    *("recycle_memory", "max_in_hand_bytes", "structured_logging", "envelope", "region"),
    *("endpoint_url", "payload_buckets", "max_payload", "keep_payloads", "checkpoints"),
)


@click.command(cls=AfterDashes, example="watchbot chaos -- ./work.sh")
@options(ChaosSettings, without=_IDLE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def chaos(settings: ChaosSettings, *, as_json: bool) -> int:
    """Find out whether COMMAND bears what queues and machines do to it.

    Runs COMMAND for messages, with an AWS of its own in memory: once undisturbed, and once while
    messages come twice, and at once, and late, and runs get SIGTERM or SIGKILL at any point. Then
    says, with evidence, whether that changed the effect (--check), whether a message never gets
    done, whether COMMAND ignores SIGTERM, leaves processes or files, crashes at odd messages, and,
    with --warm, leaks memory.

    COMMAND and the scripts find a directory of the round in WATCHBOT_CHAOS_DIR.

    Exits with 1 if something was found, else with 0.
    """
    from watchbot import lifecycle
    from watchbot.chaos.service import chaos

    run = functools.partial(chaos, settings, words_after(), json_form=as_json)
    return lifecycle.run(lambda stop: run(stop=stop))
