"""`watchbot.template(options)`: from options to a stack."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from troposphere import Parameter

from watchbot.settings.base import load
from watchbot.settings.template import TemplateSettings
from watchbot.template.alarms import add_alarms
from watchbot.template.dashboard import add_dashboard
from watchbot.template.document import Template
from watchbot.template.ecs import add_service
from watchbot.template.logs import add_logs
from watchbot.template.permissions import add_roles
from watchbot.template.queues import add_notifications, add_progress_table, add_queues
from watchbot.template.rules import check
from watchbot.template.scaling import add_scaling
from watchbot.template.senders import add_user, add_webhook
from watchbot.template.stack import Stack

SECTIONS = ("AWSTemplateFormatVersion", "Description", "Parameters", "Resources", "Outputs")


def template(options: Mapping[str, Any]) -> Template:
    """The template of a service with these options, by their names: `service`, `image`...

    No variable is read: the same options make the same stack everywhere. Raises `SettingError`
    for the first option that is bad.
    """
    fields = TemplateSettings.model_fields.items()
    defaults = {name: field.default for name, field in fields if not field.is_required()}
    return build(load(TemplateSettings, {**defaults, **options}))


def build(options: TemplateSettings) -> Template:
    """The same, from settings that were loaded."""
    check(options)
    stack = Stack(options=options)
    stack.document.set_version("2010-09-09")
    stack.document.set_description(f"{options.service}: a command for every message (watchbot)")
    if options.fargate and not options.subnets:
        stack = _asking_for_subnets(stack)
    add_queues(stack)
    add_notifications(stack)
    if options.reduce:
        add_progress_table(stack)
    add_logs(stack)
    add_roles(stack)
    add_service(stack)
    add_scaling(stack)
    add_alarms(stack)
    if options.dashboard:
        add_dashboard(stack)
    if options.user:
        add_user(stack)
    if options.webhook:
        add_webhook(stack)
    made = stack.document.to_dict()
    return Template({name: made[name] for name in SECTIONS if name in made}, stack.ref)


def _asking_for_subnets(stack: Stack) -> Stack:
    """Fargate needs subnets: where none are named, whoever deploys the stack names them."""
    asked = stack.name("Subnets")
    stack.document.add_parameter(
        Parameter(
            asked,
            Type="List<AWS::EC2::Subnet::Id>",
            Description="Where tasks run; they must reach SQS, SNS, ECR and CloudWatch Logs",
        )
    )
    return replace(stack, options=stack.options.model_copy(update={"subnets": {"Ref": asked}}))
