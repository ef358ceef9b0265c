"""Makes flags from a settings class, and holds the parts that commands with a COMMAND share."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from watchbot.errors import SettingError
from watchbot.settings.base import Settings, flag, load, repeats, variables
from watchbot.settings.misspelt import unknown_variables

Command = Callable[..., int]
log = logging.getLogger(__name__)

_OF_FILES = ("FILE", "LINES")  # the words of the help for values that are files


def options(kind: type[Settings], *, without: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Gives a command the flags of a settings class; the command gets the loaded settings.

    `without` names the fields that get no flag.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**given: Any) -> int:
            own = {name: given.pop(name) for name in list(given) if name in kind.model_fields}
            flags = {name: value for name, value in own.items() if value not in (None, ())}
            return command(_loaded(kind, flags, given.get("words", ())), **given)

        decorated: Command = run
        fields = sorted(kind.model_fields.items(), key=_place_in_help)
        for name, field in reversed(fields):  # click lists the last added option first
            if name not in without:
                decorated = _click_option(name, field, kind.old_flags.get(name))(decorated)
        return decorated

    return decorate


def warn_of_unknown_variables() -> None:
    """Logs each variable that begins with WATCHBOT_ and that none of our programs reads."""
    for unknown in unknown_variables():
        log.warning(
            "variable sets nothing", extra={"variable": unknown.name, "advice": unknown.advice}
        )


def _loaded(kind: type[Settings], flags: dict[str, Any], words: Sequence[str]) -> Any:
    """Loads the settings; if a missing flag is a word of COMMAND, the error says so."""
    try:
        return load(kind, flags)
    except SettingError as error:
        names, _, problem = str(error).partition(": is missing")
        if not problem or names.split()[0] not in {word.partition("=")[0] for word in words}:
            raise
        raise SettingError(
            names, "stands after COMMAND, and so belongs to COMMAND; put it before COMMAND"
        ) from None


def _place_in_help(item: tuple[str, Any]) -> int:
    name, field = item
    return 0 if field.is_required() else 2 if name in Settings.model_fields else 1


def _click_option(name: str, field: Any, old_flag: str | None) -> Callable[[Command], Command]:
    help_text = f"{field.description} [{', '.join(variables(name))}]"
    if field.default not in (None, False, (), {}) and not field.is_required():
        help_text += f" Default: {_words(field.default)}."
    if field.annotation is bool:
        # None means that the flag is not given, so that the variable counts.
        either = f"{flag(name)}/{flag(f'no_{name}')}" if field.default else flag(name)
        return click.option(either, name, is_flag=True, default=None, help=help_text)
    return click.option(
        flag(name),
        *_old_flags(old_flag),
        name,
        metavar=field.json_schema_extra["metavar"],
        shell_complete=_values,
        multiple=repeats(field),
        help=help_text,
    )


def _values(
    context: click.Context, param: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """Lets the shell complete one of the values that the help lists, or the name of a file."""
    if param.metavar in _OF_FILES:
        return _files(context, param, typed)
    listed = [value for value in str(param.metavar).split("|") if value.islower()]
    return [CompletionItem(value) for value in listed if value.startswith(typed)]


def _files(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Lets the shell complete the names of files."""
    return [CompletionItem(typed, type="file")]


def _old_flags(old: str | None) -> list[str]:
    """The flags of another program; Go programs take long flags with one dash or two."""
    if old is None:
        return []
    of_go = len(old) > len("-s") and not old.startswith("--")
    return [old, f"-{old}"] if of_go else [old]


def _words(default: Any) -> str:
    if default is True:
        return "on"
    return ", ".join(default) if isinstance(default, tuple) else str(default)


# Our options end at the first word that is no option, because later ones belong to COMMAND.
TAKES_A_COMMAND = {"allow_interspersed_args": False}
command_words = click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="COMMAND [ARG]...",
    shell_complete=_files,
)


_AFTER = "watchbot.words"


class AfterDashes(click.Command):
    """A command of ours whose COMMAND stands after `--`. `words_after` returns its words."""

    def __init__(self, *args: Any, example: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self._example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ours, ctx.meta[_AFTER] = args[:at], tuple(args[at + 1 :])
        if not ctx.meta[_AFTER] and not {*ours} & {*ctx.help_option_names}:
            problem = f"COMMAND is missing; give it after --, as in: {self._example}"
            raise click.UsageError(problem, ctx)
        return super().parse_args(ctx, ours)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- COMMAND [ARG]..."]


def words_after() -> tuple[str, ...]:
    """The words after `--`."""
    words: tuple[str, ...] = click.get_current_context().meta[_AFTER]
    return words
