"""Makes docs/reference/commands.md and a page for each command from the commands themselves."""

import inspect
import re
from collections.abc import Iterable, Iterator

import click

from watchbot.cli import GROUPS, watchbot

_START = """\
# Commands

A flag or a variable in its row sets an option. The flag takes precedence, then the first variable
that is set. An empty variable counts as not set. `watchbot COMMAND --help` prints each page, too.

Exit codes: 0 done; 1 AWS or a database refused for good, or a check failed; 2 an option, a variable
or an argument is wrong, and watchbot has changed nothing.

These pages are made by `make docs`.
"""
KEPT = "\b\n"


def commands_page() -> str:
    """The list of all commands, in the groups of the help."""
    return _START + "".join(_group(group, names) for group, names in GROUPS.items())


def command_page(name: str) -> str:
    """The page of one command, and of those below it."""
    (text,) = _sections(watchbot, [name], click.Context(watchbot, info_name="watchbot"))
    return text.lstrip("\n")


def _group(group: str, names: Iterable[str]) -> str:
    root = click.Context(watchbot, info_name="watchbot")
    found = [(name, watchbot.get_command(root, name)) for name in names]
    rows = [
        f"| [watchbot {name}](commands/{name}.md) | {command.get_short_help_str(200)} |\n"
        for name, command in found
        if command
    ]
    return f"\n## {group}\n\n| command | what it does |\n|---|---|\n" + "".join(rows)


def _sections(group: click.Group, names: Iterable[str], context: click.Context) -> Iterator[str]:
    found = ((name, group.get_command(context, name)) for name in names)
    return (_section(name, command, context) for name, command in found if command)


def _section(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    level = "#" * context.command_path.count(" ")
    parts = [f"\n{level} {context.command_path}\n\n```text\n{usage}\n```\n\n{_text(command)}\n"]
    rows = [_row(option) for option in _options(command)]
    if rows:
        parts.append("\n| option | what it does |\n|---|---|\n" + "".join(rows))
    if isinstance(command, click.Group):
        parts += _sections(command, command.list_commands(context), context)
    return "".join(parts)


def _text(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        # After click's mark, lines keep their line breaks.
        f"```text\n{each.removeprefix(KEPT)}\n```"
        if each.startswith(KEPT)
        else " ".join(each.split())
        for each in paragraphs
    )


def _options(command: click.Command) -> Iterator[click.Option]:
    return (each for each in command.params if isinstance(each, click.Option) and not each.hidden)


def _row(option: click.Option) -> str:
    word = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    names = ", ".join(f"`{name}{word}`" for name in option.opts)
    text = re.sub(
        r"\[((?:\w+(?:, )?)+)\]",
        lambda found: " ".join(f"`{name}`" for name in found[1].split(", ")),
        option.help or "",
    )
    cells = [cell.replace("|", r"\|") for cell in (names, text)]
    return f"| {cells[0]} | {cells[1]} |\n"
