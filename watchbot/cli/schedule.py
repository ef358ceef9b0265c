"""Defines `watchbot schedule` and its subcommands `import` and `custom-resource`."""

import functools
import sys

import click

from watchbot.cli.options import options, warn_of_unknown_variables
from watchbot.logs import setup
from watchbot.patience import patience
from watchbot.settings.schedule import ImportSettings, ScheduleSettings

_TYPED = click.core.ParameterSource.COMMANDLINE


@click.group(invoke_without_command=True)
@options(ScheduleSettings)
def schedule(settings: ScheduleSettings) -> int:
    """Start ECS tasks, or send messages, when jobs are due.

    Takes jobs over HTTP: POST /jobs. Starts each run once, even if several replicas share the
    database. Catches up with runs that were missed while no replica ran.

    With --local, serves an embedded AWS, in memory, on 127.0.0.1, with a cluster, a queue and a
    topic. Forgets its jobs at the end, unless --database keeps them.
    """
    context = click.get_current_context()
    if context.invoked_subcommand:
        if any(context.get_parameter_source(name) is _TYPED for name in context.params):
            raise click.UsageError(f"write options after {context.invoked_subcommand}")
        return 0
    from watchbot import lifecycle

    if settings.local:
        from watchbot.local.scheduler import schedule_locally as schedule
    else:
        from watchbot.schedule.service import schedule

    setup.configure(structured=settings.structured_logging, who="scheduler")
    warn_of_unknown_variables()
    return lifecycle.run(functools.partial(schedule, settings))


@schedule.command("custom-resource")
def custom_resource() -> int:
    """Answer one request of CloudFormation, as the Lambda function does.

    Reads the request, a JSON object, from standard input, writes the schedule to the table that the
    request names, and sends the answer to the request's ResponseURL. Use it for a stack that waits
    because its function could not run. `make lambda` builds the function, whose handler is
    watchbot.schedule.custom_resource.handler.
    """
    from watchbot.schedule.custom_resource import answer_by_hand

    setup.configure(structured=False, who="scheduler")
    answer_by_hand(sys.stdin.buffer.read())
    return 0


@schedule.command("import")
@options(ImportSettings)
def import_jobs(settings: ImportSettings) -> int:
    """Import jobs from a JSON file, from ecs-scheduler or from clockwork.

    A JSON file has a list of jobs, each as for POST /jobs. ecs-scheduler keeps jobs in an SQLite
    file, a bucket, an index or a DynamoDB table, and clockwork in a table. Does not change the
    source. Skips a job whose name exists already. Exits with 1 if some jobs could not be imported.
    """
    from watchbot import lifecycle
    from watchbot.schedule.imports.importer import import_jobs

    with patience():
        return lifecycle.run(functools.partial(import_jobs, settings))
