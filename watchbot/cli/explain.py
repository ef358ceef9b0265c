"""Defines `watchbot explain`."""

import functools

import click

from watchbot.cli.options import options
from watchbot.settings.explain import ExplainSettings


@click.command()
@click.argument("message_id", metavar="MESSAGE-ID")
@options(ExplainSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(settings: ExplainSettings, message_id: str, *, as_json: bool) -> int:
    """Say what became of a message, over all its tries.

    Puts together what the watchers' logs say of it, what was noted on its dead letter, and how its
    containers ended: when it was received, by which container, how long it ran, how that ended,
    what its worker said last, and why it is where it is now.

    Exits with 1 if nothing is known of the message.
    """
    from watchbot import lifecycle
    from watchbot.explain.service import explain

    return lifecycle.run(functools.partial(explain, settings, message_id, json_form=as_json))
