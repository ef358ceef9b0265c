"""`watchbot template`."""

from pathlib import Path

import click

from watchbot.cli.options import options
from watchbot.errors import UsageError
from watchbot.settings.template import TemplateSettings


@click.command
@options(TemplateSettings, without=["region", "endpoint_url"])
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "yaml"]),
    default="json",
    help="How the template is written. Default: json.",
)
@click.option("-o", "--output", metavar="FILE", help="Write it there; else to standard output.")
def template(settings: TemplateSettings, form: str, output: str | None) -> int:
    """Print the stack of CloudFormation for a service.

    Queue, dead-letter queue, topics, logs, tasks, roles, scaling, alarms and a dashboard. With
    --kind record: the stack for `watchbot record`, and the rule that sends it the events of ECS;
    with --kind schedule: the stack for `watchbot schedule`; --function-bucket adds the function by
    which other stacks declare schedules.
    Where a value stands, '{"Ref": "NAME"}' may stand, too. Nothing is deployed:

    \b
    watchbot template --service NAME --image URI --command CMD -o stack.json
    aws cloudformation deploy --template-file stack.json --stack-name NAME \\
      --capabilities CAPABILITY_IAM --parameter-overrides WatchbotSubnets=ID,ID
    """
    from watchbot.template.build import build
    from watchbot.template.document import written

    text = written(build(settings), form)
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        Path(output).write_text(text)
    except OSError as error:
        raise UsageError(f"--output: {output} cannot be written: {error.strerror}") from error
    return 0
