"""`watchbot dead-letter`."""

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
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def dead_letter(
    settings: DeadLetterSettings, verb: str | None, words: tuple[str, ...], **flags: bool
) -> int:
    """Look at dead messages, send them once more, or delete them.

    Without a VERB, and on a terminal, it asks what to do.

    \b
    list [ID]...           one line a message
    show ID                all there is to know of one message
    summary                how many there are of each kind, with the newest of it
    logs ID                what its worker logged: the newest 50 KB
    export FILE            writes them to FILE, as JSON, one a line
    replay [ID]...         sends them to their queue, then deletes them here
    delete [ID]...         deletes those that IDs or options choose
    purge                  deletes all

    What is looked at is put back unchanged, but that SQS counts one more receive. What cannot be
    sent is named and kept, and the exit code is 1.
    """
    from watchbot.deadletter.desk import Request
    from watchbot.deadletter.selection import selected
    from watchbot.deadletter.service import dead_letter

    ids = () if verb == "export" else words
    selection = selected(settings, ids)
    return dead_letter(
        Request(settings=settings, selection=selection, verb=verb, words=words, **flags)
    )
