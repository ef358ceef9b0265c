"""`watchbot schedule`, and what stands below it: `import` and `custom-resource`."""

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

    Jobs are written over HTTP: POST /jobs. Each run is started once, however many replicas share
    the database, and what was missed while none was there is seen, and caught up with.

    With --local, an AWS is embedded, in memory, on 127.0.0.1, with a cluster, a queue and a topic.
    Its jobs are forgotten at the end, unless --database keeps them.
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
    """Answer one request of CloudFormation, as the function does.

    Reads the request, a JSON object, from standard input, writes the schedule to the table that it
    names, and sends the answer to its ResponseURL. For a stack that waits because its function
    could not run; the function itself is what `make lambda` builds, and its handler is
    watchbot.schedule.custom_resource.handler.
    """
    from watchbot.schedule.custom_resource import answer_by_hand

    setup.configure(structured=False, who="scheduler")
    answer_by_hand(sys.stdin.buffer.read())
    return 0


@schedule.command("import")
@options(ImportSettings)
def import_jobs(settings: ImportSettings) -> int:
    """Take jobs from a file, or over from ecs-scheduler or clockwork.

    From a JSON file: a list of jobs, each as for POST /jobs. Or from ecs-scheduler's SQLite file,
    bucket, index or DynamoDB table, or from clockwork's table. They stay as they are; a job whose
    name is taken is left alone. Exit code 1: some were not taken.
    """
    from watchbot import lifecycle
    from watchbot.schedule.imports.importer import import_jobs

    with patience():
        return lifecycle.run(functools.partial(import_jobs, settings))
