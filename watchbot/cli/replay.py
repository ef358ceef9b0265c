"""Defines `watchbot replay`."""

import functools

import click

from watchbot.cli.options import AfterDashes, options, words_after
from watchbot.logs import setup
from watchbot.settings.replay import ReplaySettings

# Of a watcher's options, those that matter to one run.
_USED = {
    *("warm", "batch_size", "handler", "start_timeout", "max_event", "max_line", "envelope"),
    *("max_job_duration", "kill_grace", "reject_codes", "return_codes", "max_backoff"),
    *("max_attempts", "no_worker_credentials", "no_stdin", "shell", "payload_buckets"),
    *("max_payload", "stack_name", "queue_url", "dead_letter_queue_url", "dead_letter"),
    *("debugger", "region", "endpoint_url"),
}


@click.command(cls=AfterDashes, example="watchbot replay message.json -- ./work.sh")
@click.argument("message", required=False, metavar="[MESSAGE]")
@options(ReplaySettings, without=[*ReplaySettings.model_fields.keys() - _USED])
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
