"""Defines `watchbot dead-letter`."""

import click

from watchbot.cli.options import options
from watchbot.settings.deadletter import DeadLetterSettings

VERBS = ("list", "show", "export", "replay", "delete", "purge", "summary", "logs")


@click.command("dead-letter")
@click.argument("verb", required=False, type=click.Choice(VERBS), metavar="[VERB]")
@click.argument("words", nargs=-1, metavar="[ID | FILE]...")
@options(DeadLetterSettings)
@click.option("--json", "as_json", is_flag=True, help="Print JSON objects, one a line.")
@click.option("--yes", is_flag=True, help="Do not ask; overwrite FILE.")
@click.option("--dry-run", is_flag=True, help="Print the messages, and change nothing.")
def dead_letter(
    settings: DeadLetterSettings, verb: str | None, words: tuple[str, ...], **flags: bool
) -> int:
    """Read dead letters, send them again, or delete them.

    Without a VERB, on a terminal, asks what to do with each message.

    \b
    list [ID]...           print a line for each message
    show ID                print all facts of one message
    summary                count the messages of each kind of failure; show the newest
    logs ID                print the newest 50 KB of the worker's log
    export FILE            write the messages to FILE, a JSON object a line
    replay [ID]...         send the messages to their queue, then delete them here
    delete [ID]...         delete the messages that IDs or options choose
    purge                  delete all messages

    Reading puts messages back unchanged, but SQS counts one more receive. A message that cannot be
    sent is named and kept, and the exit code is 1.
    """
    from watchbot.deadletter.desk import LetterRequest
    from watchbot.deadletter.selection import selected
    from watchbot.deadletter.service import dead_letter

    ids = () if verb == "export" else words
    selection = selected(settings, ids)
    return dead_letter(
        LetterRequest(settings=settings, selection=selection, verb=verb, words=words, **flags)
    )
