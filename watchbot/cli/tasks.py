"""Defines `watchbot tasks`."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import click

from watchbot.cli.options import options
from watchbot.settings.record import DatabaseSettings, TasksSettings

AWS_OPTIONS = ["region", "endpoint_url"]  # left out, because the command asks the database only
FILTERS = ["cluster", "family", "group", "started_by", "service"]  # on tasks
OF_LISTS_OF_TASKS = [*FILTERS, "after"]


@click.group
def tasks() -> None:
    """Query the ECS tasks that `watchbot record` has recorded.

    TIME is a time in ISO 8601, or a time ago: 90s, 5m, 2h, 7d. TASK is a task's ARN or id.
    """


def _question(command: Callable[..., Any]) -> Callable[..., int]:
    """Gives a command the choice of forms, and answers the question that the command returns."""

    @click.option("--json", "form", flag_value="json", help="Print one JSON object a line.")
    @click.option("--csv", "form", flag_value="csv", help="Print comma-separated values.")
    @functools.wraps(command)
    def run(settings: Any, form: str | None, **given: Any) -> int:
        from watchbot.record.ask import ask

        return asyncio.run(ask(settings, command(settings, **given), form or "table"))

    return run


@tasks.command
@options(TasksSettings, without=AWS_OPTIONS)
@_question
def running(settings: TasksSettings) -> Any:
    """List the tasks that run now."""
    from watchbot.record import ask

    return ask.running(settings)


@tasks.command
@click.argument("time")
@options(TasksSettings, without=AWS_OPTIONS)
@_question
def at(settings: TasksSettings, time: str) -> Any:
    """List the tasks that ran at TIME."""
    from watchbot.record import ask

    return ask.at(settings, time)


@tasks.command
@click.argument("task")
@options(DatabaseSettings, without=AWS_OPTIONS)
@_question
def outcome(settings: DatabaseSettings, task: str) -> Any:
    """Print how TASK ended.

    Prints active, success, failed, failed_to_start, interrupted (AWS took its machine: Spot, a
    failing host), stopped (by a person or by its service), lost (its events are missing, and ECS
    does not know it any more), or unknown.
    """
    from watchbot.record import ask

    return ask.outcome(task)


@tasks.command
@click.option("--since", default="7d", metavar="TIME", help="Count from then. Default: 7d.")
@click.option(
    "--by",
    type=click.Choice(["day", "hour", "family"]),
    default="day",
    help="Count by this. Default: day.",
)
@options(TasksSettings, without=[*AWS_OPTIONS, "limit", "page", "after"])
@_question
def failures(settings: TasksSettings, since: str, by: str) -> Any:
    """Count the tasks that ended, and those that failed."""
    from watchbot.record import ask

    return ask.failures(settings, since, by)


@tasks.command
@click.argument("task")
@options(DatabaseSettings, without=AWS_OPTIONS)
@_question
def history(settings: DatabaseSettings, task: str) -> Any:
    """List every recorded state of TASK."""
    from watchbot.record import ask

    return ask.history(task)


@tasks.command
@options(TasksSettings, without=[*AWS_OPTIONS, *OF_LISTS_OF_TASKS])
@_question
def missed(settings: TasksSettings) -> Any:
    """List the tasks with lost events."""
    from watchbot.record import ask

    return ask.missed(settings)


@tasks.command
@options(TasksSettings, without=[*AWS_OPTIONS, *OF_LISTS_OF_TASKS])
@_question
def instances(settings: TasksSettings) -> Any:
    """List the container instances: state, capacity and tasks."""
    from watchbot.record import ask

    return ask.instances(settings)


@tasks.command
@options(TasksSettings, without=[*AWS_OPTIONS, *OF_LISTS_OF_TASKS])
@_question
def rejects(settings: TasksSettings) -> Any:
    """List the messages that could not be read, and why."""
    from watchbot.record import ask

    return ask.rejects(settings)
