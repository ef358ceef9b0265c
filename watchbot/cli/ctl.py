"""Defines `watchbot ctl` for the list of commands; `watchbot.__main__` runs it without this."""

import click

from watchbot.ctl import ABOUT, ENDS, USAGE, VERBS, main


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    help=f"{ABOUT}\n\b\n{VERBS}\n{ENDS}",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar=USAGE)
def ctl(words: tuple[str, ...]) -> int:
    return main(list(words))
