"""Every command: parse, load settings, call one function. A service is imported when it runs."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from watchbot import __version__, log
from watchbot.errors import WatchbotError
from watchbot.settings import (
    DoctorSettings,
    ListenSettings,
    LocalSettings,
    SendSettings,
    Settings,
    flag,
    load,
    variables,
)

Command = Callable[..., int]


def options(kind: type[Settings], *, without: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Gives a command the flags of a settings class; the command gets the loaded settings.

    `without` names the fields that are no flags.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**given: Any) -> int:
            own = {name: given.pop(name) for name in list(given) if name in kind.model_fields}
            flags = {name: value for name, value in own.items() if value not in (None, False, ())}
            return command(load(kind, flags), **given)

        decorated: Command = run
        fields = sorted(kind.model_fields.items(), key=_place_in_help)
        for name, field in reversed(fields):  # click lists the last that is added first
            if name not in without:
                decorated = _click_option(name, field)(decorated)
        return decorated

    return decorate


def _place_in_help(item: tuple[str, Any]) -> int:
    name, field = item
    return 0 if field.is_required() else 2 if name in Settings.model_fields else 1


def _click_option(name: str, field: Any) -> Callable[[Command], Command]:
    help_text = f"{field.description} [{', '.join(variables(name))}]"
    if field.default not in (None, False, ()) and not field.is_required():
        help_text += f" Default: {field.default}."
    if field.annotation is bool:
        return click.option(flag(name), name, is_flag=True, help=help_text)
    return click.option(
        flag(name),
        name,
        metavar=field.json_schema_extra["metavar"],
        multiple=field.annotation == tuple[str, ...],
        help=help_text,
    )


# The command's own options belong to it: ours end at the first word that is no option.
_TAKES_A_COMMAND = {"allow_interspersed_args": False, "max_content_width": 80}
_command_words = click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARG]..."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="watchbot", message="%(prog)s %(version)s")
def watchbot() -> None:
    """Runs a command for every message of an SQS queue.

    Each option can be set by the variable in brackets instead.
    """


@watchbot.command(context_settings=_TAKES_A_COMMAND)
@options(ListenSettings)
@_command_words
def listen(settings: ListenSettings, words: tuple[str, ...]) -> int:
    """Run COMMAND for every message of a queue.

    The message is in the variables Subject, Message, MessageId and others, and on standard input.
    One COMMAND word with spaces or shell syntax is run by /bin/sh.

    \b
    COMMAND exits  the message is            notification
    0              deleted                   no
    3              deleted                   yes
    4              tried again after a pause no
    other, signal  tried again after a pause yes
    """
    from watchbot import lifecycle
    from watchbot.listen.service import listen

    log.configure(structured=settings.structured_logging)
    return lifecycle.run(functools.partial(listen, settings, words))


@watchbot.command(context_settings=_TAKES_A_COMMAND)
@options(LocalSettings, without=["region", "endpoint_url"])
@_command_words
def local(settings: LocalSettings, words: tuple[str, ...]) -> int:
    """Run it all on this machine, without an account.

    SQS and SNS are embedded, in memory, on 127.0.0.1: a topic, a queue that it feeds, and COMMAND
    for every message. Prints how to send messages from another terminal. Ctrl-C leaves.
    """
    from watchbot import lifecycle
    from watchbot.local.run import local

    log.configure(structured=settings.structured_logging)
    return lifecycle.run(functools.partial(local, settings, words))


@watchbot.command(context_settings={"max_content_width": 80})
@options(SendSettings, without=["body"])
@click.argument("body", required=False, metavar="[BODY | -]")
def send(settings: SendSettings) -> int:
    """Send messages to a topic or a queue.

    BODY, or standard input for a BODY of -, is one message; with --file each line is one. Prints
    the message ids. What could not be sent is named, and the exit code is 1.
    """
    import asyncio

    from watchbot.send.service import send

    return asyncio.run(send(settings))


@watchbot.command(context_settings={"max_content_width": 80})
@options(DoctorSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list of findings.")
def doctor(settings: DoctorSettings, as_json: bool) -> int:
    """Check a set-up, and say how to mend it.

    Looks at queue, dead-letter queue, topic, permissions, times and this machine; changes and
    receives nothing. Give it the options and variables of `watchbot listen`. One line a finding:
    ok, warn or FAIL. The exit code is 1 when anything fails.
    """
    import asyncio

    from watchbot.doctor.service import doctor

    return asyncio.run(doctor(settings, as_json=as_json))


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line; the exit code. What went wrong is one line on standard error."""
    try:
        code = watchbot.main(args=words, prog_name="watchbot", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "watchbot"
        _complain(f"{error.format_message().rstrip('.')}; see {path} --help")
        return error.exit_code
    except BrokenPipeError:  # as in `watchbot send ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing more is flushed into the pipe
        return 141
    except WatchbotError as error:
        _complain(str(error))
        return error.exit_code
    return code if isinstance(code, int) else 0


def _complain(problem: str) -> None:
    click.echo(f"watchbot: {' '.join(problem.split())}", err=True)
