"""Defines `watchbot template`."""

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
    help="Write the template in this form. Default: json.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
def template(settings: TemplateSettings, form: str, output: str | None) -> int:
    """Print a CloudFormation template for a service.

    The stack has a queue, a dead-letter queue, topics, logs, tasks, roles, scaling, alarms and a
    dashboard. --kind record makes a stack for `watchbot record`, with the rule that sends it the
    events of ECS. --kind schedule makes a stack for `watchbot schedule`; --function-bucket adds the
    function with which other stacks declare schedules.
    Most values may be a function of CloudFormation, as '{"Ref": "NAME"}'. The command deploys
    nothing:

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
