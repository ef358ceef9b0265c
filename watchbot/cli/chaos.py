"""Defines `watchbot chaos`."""

import functools

import click

from watchbot.cli.options import AfterDashes, options, words_after
from watchbot.settings.chaos import ChaosSettings

# Of a watcher's options, those that matter without a queue.
_USED = {
    *("concurrency", "warm", "handler", "start_timeout", "max_event", "max_line"),
    *("max_job_duration", "kill_grace", "reject_codes", "return_codes", "no_worker_credentials"),
    *("no_stdin", "shell", "messages", "send", "send_file", "no_odd", "seed", "reset", "check"),
    "leak_runs",
}


@click.command(cls=AfterDashes, example="watchbot chaos -- ./work.sh")
@options(ChaosSettings, without=[*ChaosSettings.model_fields.keys() - _USED])
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def chaos(settings: ChaosSettings, *, as_json: bool) -> int:
    """Test whether COMMAND bears what queues and machines do to it.

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
