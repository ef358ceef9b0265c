"""The help: what a reader sees first."""

import re
from collections.abc import Iterator

import click
import pytest

from watchbot.cli import COMMANDS, watchbot


def shown() -> str:
    return click.Context(watchbot, info_name="watchbot").get_help()


def commands(
    group: click.Group, context: click.Context, path: str
) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, context, f"{path} {name}")


EVERY = dict(commands(watchbot, click.Context(watchbot), "watchbot"))


def test_commands_stand_in_groups_of_what_a_reader_wants_to_do() -> None:
    groups = re.findall(r"^(\w[\w ]*):$", shown(), re.M)

    assert groups == ["Options", "Run", "Look", "Repair", "Schedule and record", "Deploy"]


def test_each_command_is_one_whole_sentence_on_one_line() -> None:
    rows = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", shown(), re.M))

    for name in COMMANDS:
        assert rows[name].endswith("."), f"{name}: {rows[name]}"
        assert not rows[name].endswith("..."), f"{name}: the line has no room for all of it"


@pytest.mark.parametrize("path", EVERY)
def test_help_of_an_option_is_an_order(path: str) -> None:
    for option in EVERY[path].params:
        if isinstance(option, click.Option) and not option.hidden:
            order = re.sub(r"^(With|Of|For) [^,]*, ", "", option.help or "")
            word = order.split()[0] if order else ""
            assert re.match(r"[A-Za-z]+$", word), f"{option.name} has no help"
            assert not re.match(
                r"(The|A|An|It|Its|What|Whether|Why|How|If|In|One|Only|At|\w+ing|\w+[^s]s)$", word
            ), f"{path} --{option.name}: {option.help}"
