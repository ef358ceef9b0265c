"""Builds the template of a stack from options: `watchbot.template(options)`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from troposphere import Parameter

from watchbot.settings.base import load
from watchbot.settings.template import TemplateSettings
from watchbot.template.alarms import add_alarms
from watchbot.template.dashboard import add_dashboard
from watchbot.template.document import Template
from watchbot.template.ecs import add_service
from watchbot.template.function import add_function
from watchbot.template.logs import add_log_group, add_log_metrics
from watchbot.template.names import named
from watchbot.template.permissions import add_roles
from watchbot.template.queues import (
    add_events,
    add_notifications,
    add_queue_policies,
    add_queues,
    add_topics,
)
from watchbot.template.rules import check
from watchbot.template.scaling import add_scaling
from watchbot.template.senders import add_user, add_webhook
from watchbot.template.stack import Stack
from watchbot.template.tables import (
    add_checkpoints_table,
    add_database_table,
    add_failures_table,
    add_progress_table,
    add_stacks_table,
)

Part = Callable[[Stack], None]

SECTIONS = ("AWSTemplateFormatVersion", "Description", "Parameters", "Resources", "Outputs")
ABOUT = {
    "listen": "runs a command for every message",
    "record": "records the state of every ECS task",
    "schedule": "starts ECS tasks and sends messages when jobs are due",
    "console": "shows whoever is paged what fails",
}


def parts(options: TemplateSettings) -> dict[Part, bool]:
    """Every part that a stack may have, and whether this stack has it.

    Keep the order: some parts need earlier ones.
    """
    listens, consumes = options.kind == "listen", options.kind in ("listen", "record")
    declared = options.function_bucket is not None
    return {
        add_queues: consumes,
        add_topics: listens and (options.fifo_topic or not options.fifo),
        add_events: options.kind == "record",
        add_queue_policies: consumes,
        add_notifications: True,
        add_progress_table: options.reduce,
        add_checkpoints_table: options.checkpoints,
        add_failures_table: options.failures,
        add_database_table: options.database_table,
        add_stacks_table: declared,
        add_log_group: True,
        add_log_metrics: listens,
        add_function: declared,
        add_roles: True,
        add_service: True,
        add_scaling: listens,
        add_alarms: True,
        add_dashboard: options.dashboard,
        add_user: options.user,
        add_webhook: options.webhook,
    }


def template(options: Mapping[str, Any]) -> Template:
    """The template of a service with these options, by their names: `service`, `max_size`...

    Accepts `maxSize` for `max_size`, and takes None for an option left out. For an outdated name of
    ecs-watchbot, the error names our option. Reads no variable, so that the options alone determine
    the stack. Raises `SettingError` for the first bad option.
    """
    fields = TemplateSettings.model_fields.items()
    defaults = {name: field.default for name, field in fields if not field.is_required()}
    given = {name: value for name, value in named(options).items() if value is not None}
    return build(load(TemplateSettings, {**defaults, **given}))


def build(options: TemplateSettings) -> Template:
    """Builds the template from loaded settings."""
    check(options)
    stack = _asking(Stack(options=options))
    stack.document.set_version("2010-09-09")
    stack.document.set_description(f"{options.service}: {ABOUT[options.kind]} (watchbot)")
    for add, wanted in parts(options).items():
        if wanted:
            add(stack)
    made = stack.document.to_dict()
    return Template({name: made[name] for name in SECTIONS if name in made}, stack.ref)


def _asking(stack: Stack) -> Stack:
    """Adds a stack parameter for each value that the options leave open."""
    options = stack.options
    asked: dict[str, Parameter] = {}
    if options.fargate and not options.subnets:
        asked["subnets"] = Parameter(
            stack.name("Subnets"),
            Type="List<AWS::EC2::Subnet::Id>",
            Description="Where tasks run; they must reach SQS, SNS, ECR and CloudWatch Logs",
        )
    if (
        options.kind in ("record", "schedule")
        and options.database is None
        and not options.database_table
    ):
        asked["database"] = Parameter(
            stack.name("Database"),
            Type="String",
            Description="The ARN of the secret that holds postgresql://USER:PASSWORD@HOST/NAME",
        )
    if options.kind in ("schedule", "console") and options.token is None:
        asked["token"] = Parameter(
            stack.name("Token"),
            Type="String",
            Description="The ARN of the secret that holds the token",
        )
    for parameter in asked.values():
        stack.document.add_parameter(parameter)
    known = {name: {"Ref": parameter.title} for name, parameter in asked.items()}
    return replace(stack, options=options.model_copy(update=known))
