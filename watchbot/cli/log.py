"""Defines `watchbot log`."""

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--level LEVEL] [TEXT]...")
def log(words: tuple[str, ...]) -> int:
    """Print lines as a worker's log: with time and message id.

    Does what `watchbot-log` does, for installations with only the one-file binary. `watchbot-log`
    starts faster.
    """
    from watchbot.logs.worker import main

    return main(list(words))
