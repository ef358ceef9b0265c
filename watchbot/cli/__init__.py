"""Finds and runs the commands. A command parses flags, loads settings and calls one function.

Each command has a module of its name, which is imported on demand and imports its service when it
runs.
"""

import difflib
import importlib
import json
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import click

from watchbot import __version__, inherited, stdout
from watchbot.errors import WatchbotError
from watchbot.logs import strangers
from watchbot.logs.line import Envelope
from watchbot.patience import patience

GROUPS = {
    "Run": ("listen", "local", "send", "chaos", "progress", "log", "ctl"),
    "Look": ("status", "top", "console", "explain"),
    "Repair": ("doctor", "dead-letter", "replay", "pause", "resume"),
    "Schedule and record": ("schedule", "record", "tasks"),
    "Deploy": ("template", "healthcheck", "completion"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)

SUMMARY_WIDTH = 80 - len("  healthcheck  ")  # so that each summary is one line of the help

# Commands that are services: an error that ends them is a line of their log.
SERVICES = {
    "listen": "watcher", "local": "watcher", "record": "recorder", "schedule": "scheduler",
    "console": "console",
}  # fmt: skip


class Commands(click.Group):
    """Finds a command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands in groups, each with the first sentence of its help."""
        for group, names in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, self._summary(ctx, name)) for name in names])

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=SUMMARY_WIDTH) if command else ""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(importlib.import_module(f"watchbot.cli.{name}"), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            for alike in difflib.get_close_matches(args[0], COMMANDS, 1):
                problem = f"{error.message.rstrip('.')}. Did you mean {alike!r}?"
                raise click.UsageError(problem, ctx) from None
            raise


@click.command(
    cls=Commands,
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --version, show Python and libraries, too."
)
@click.pass_context
def watchbot(context: click.Context, version: bool, as_json: bool) -> None:
    """Runs a command for every message of an SQS queue.

    Set each option by its flag, or by the variable in brackets.
    """
    if version:
        click.echo(_about() if as_json else f"watchbot {__version__}")
        context.exit()
    if as_json:
        raise click.UsageError("--json goes with --version, or behind a command", context)


def _about() -> str:
    from watchbot.about import about  # reads what is installed, which takes its time

    return json.dumps(about(), indent=2)


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command line and returns the exit code. Prints an error as one line on stderr."""
    inherited.put_right()
    stdout.guard()
    strangers.quietly()
    given = list(sys.argv[1:] if words is None else words)
    try:
        with nullcontext() if given and given[0] in SERVICES else patience():
            code = watchbot.main(args=words, prog_name="watchbot", standalone_mode=False)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "watchbot"
        problem = error.format_message().rstrip(".")
        problem = re.sub(
            r"\. \(?Did you mean( one of)?:? (.*)\?\)?$", r"; did you mean\1 \2", problem
        )
        _complain(f"{problem}; see {path} --help", given)
        return error.exit_code
    except BrokenPipeError:  # as in `watchbot send ... | head`
        stdout.drop()
        return 141
    except WatchbotError as error:
        _complain(str(error), given)
        return error.exit_code
    return code if isinstance(code, int) else 0


def dead_letter() -> int:
    """Runs `watchbot-dead-letter`, the name of the command in ecs-watchbot."""
    return main(["dead-letter", *sys.argv[1:]])


def progress() -> int:
    """Runs `watchbot-progress`, the earlier name of the command."""
    return main(["progress", *sys.argv[1:]])


def _complain(problem: str, words: Sequence[str]) -> None:
    text = _without_secrets(" ".join(problem.split()))
    who = SERVICES.get(words[0]) if words else None
    if who and _asks_for_json(words):
        click.echo(Envelope(who=who, level=50, message_id=None).line(text), nl=False, err=True)
    else:
        click.echo(f"watchbot: {text}", err=True)


def _asks_for_json(words: Sequence[str]) -> bool:
    # Imported here, because the binary's health check runs without the settings' libraries.
    from watchbot.settings.base import asks_for_json

    return asks_for_json(words)


def _without_secrets(problem: str) -> str:
    """The problem without the parts of typed words that may be passwords."""
    problem = re.sub(r"(://)[^@/\s]*@", r"\1…@", problem)
    return re.sub(
        r"(extra arguments?) \((.*?)\)(; see|$)",
        lambda found: f"{found[1]} ({_plain_words(found[2])}){found[3]}",
        problem,
    )


def _plain_words(words: str) -> str:
    plain = (word if re.fullmatch(r"[a-z][a-z-]{0,20}", word) else "…" for word in words.split())
    return " ".join(plain)
