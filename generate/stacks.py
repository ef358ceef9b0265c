"""Makes cloudformation/: stacks that are ready to deploy, with parameters."""

from collections.abc import Callable
from typing import Any

import watchbot
from watchbot.settings.template import TemplateSettings
from watchbot.settings.values import Limited
from watchbot.template.build import SECTIONS
from watchbot.template.document import written

_START = """\
# Made by `make docs`. Nothing needs to be installed to deploy it:
#   aws cloudformation deploy --template-file {file} --stack-name NAME \\
#     --capabilities CAPABILITY_IAM --parameter-overrides {required}
"""

# Options that are parameters, by CloudFormation's type. An option without a default is a parameter
# without a default, which the user must give.
_COMMON = {
    "image": "String",
    "cpu": "Number",
    "memory": "Number",
    "log_retention_days": "Number",
}
_WORKER = {
    "command": "String",
    "max_size": "Number",
    "min_size": "Number",
    "concurrency": "Number",
    "visibility_timeout": "Number",
    "max_job_duration": "Number",
    "dead_letter_threshold": "Number",
}
_DATABASE = {"database": "String", "security_groups": "List<AWS::EC2::SecurityGroup::Id>"}
_FARGATE = {"subnets": "List<AWS::EC2::Subnet::Id>", "public_ip": "String"}

_ABOUT = {  # descriptions of parameters that differ from the options' help
    "command": "The command for each message; a shell runs it.",
    "handler": "The function, as its image names it: app.handler.",
    "subnets": "The subnets of tasks; they must reach SQS, SNS, ECR and CloudWatch Logs.",
    "security_groups": "The security groups of tasks; the database must let them in.",
    "database": "The ARN of the secret that holds postgresql://USER:PASSWORD@HOST/NAME.",
    "token": "The ARN of the secret that holds the token of the API.",
    "task_definitions": "ARNs that jobs may start, like arn:aws:ecs:REGION:ACCOUNT:"
    "task-definition/FAMILY:*.",
    "task_roles": "The roles of these tasks: ARNs.",
    "function_bucket": "The bucket with the zip of `make lambda`.",
    "cluster": "The ECS cluster of tasks, by name or ARN.",
}
_FREE = Limited(lambda value, handler: handler(value))

_WARM = {
    "batch_size": "Number",
    "batch_window": "Number",
    "recycle_after": "Number",
    "recycle_memory": "Number",
}
_STACKS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "fargate": ({}, _COMMON | _WORKER | _FARGATE),
    "fargate-fifo": (
        {"fifo": True, "content_based_deduplication": True},
        _COMMON | _WORKER | _FARGATE,
    ),
    "fargate-queues": ({"queues": {"high": 3, "low": 1}}, _COMMON | _WORKER | _FARGATE),
    "fargate-spot": ({"capacity": "FARGATE=1,FARGATE_SPOT=4"}, _COMMON | _WORKER | _FARGATE),
    "fargate-warm": (
        {"warm": "lines"},
        _COMMON | _WORKER | _FARGATE | _WARM,
    ),
    "ec2": ({"capacity": "EC2"}, _COMMON | _WORKER | {"cluster": "String"}),
    "fargate-lambda": (
        {"warm": "lambda"},
        {
            **{name: kind for name, kind in (_COMMON | _WORKER).items() if name != "command"},
            "handler": "String",
            **_WARM,
            **_FARGATE,
        },
    ),
    "record": (
        {"kind": "record", "service": "record", "reconcile": "all"},
        _COMMON | _FARGATE | _DATABASE,
    ),
    "console": (
        {"kind": "console", "service": "console"},
        _COMMON
        | _FARGATE
        | {
            "token": "String",
            "port": "Number",
            "queue_prefix": "String",
            "failures_table": "String",
        },
    ),
    "schedule": (
        {"kind": "schedule", "service": "schedule"},
        _COMMON
        | _FARGATE
        | _DATABASE
        | {
            "cluster": "String",
            "token": "String",
            "port": "Number",
            "task_definitions": "CommaDelimitedList",
            "task_roles": "CommaDelimitedList",
            "function_bucket": "String",
            "function_key": "String",
        },
    ),
}


def parameters(name: str) -> dict[str, str]:
    """The options that the stack of this name asks for, with CloudFormation's type of each."""
    return _STACKS[name][1]


def stack_of(name: str, **more: Any) -> dict[str, Any]:
    """The stack of this name; `more` are options that are the same for all who deploy it."""
    fixed, asked = _STACKS[name]
    later: dict[str, Any] = {option: {"Ref": parameter(option)} for option in asked}
    if "command" in later:
        later["command"] = [later["command"]]  # one word, which a shell splits
    made = watchbot.template({"service": "worker", **later, **fixed, **more})
    asking = {parameter(option): _declared(option, kind) for option, kind in asked.items()}
    return {name: {**made, "Parameters": asking}[name] for name in SECTIONS}


def _declared(option: str, kind: str) -> dict[str, Any]:
    about: dict[str, Any] = {"Type": kind, "Description": description(option)}
    default = TemplateSettings.model_fields[option].default
    if default not in (None, ()):
        about["Default"] = default
    limits = limits_of(option)
    if limits.least is not None:
        about |= {"MinValue": limits.least, "MaxValue": limits.most}
    if limits.allowed:
        about["AllowedValues"] = list(limits.allowed)
    return about


def description(option: str) -> str:
    """What a parameter or a variable for the option is for."""
    return _ABOUT.get(option) or str(TemplateSettings.model_fields[option].description)


def limits_of(option: str) -> Limited:
    """The limits of the option's value; an empty one where there are none."""
    known = TemplateSettings.model_fields[option].metadata
    return next((each for each in known if isinstance(each, Limited)), _FREE)


def parameter(option: str) -> str:
    """The name of the option's parameter."""
    return option.title().replace("_", "")


def stack(name: str) -> Callable[[], str]:
    """The function that makes the file with this name."""

    def text() -> str:
        made = stack_of(name)
        required = [
            f"{each}=..."
            for each, declared in made["Parameters"].items()
            if "Default" not in declared
        ]
        start = _START.format(file=f"cloudformation/{name}.yaml", required=" ".join(required))
        return start + written(made, "yaml")

    return text


STACKS = {f"cloudformation/{name}.yaml": stack(name) for name in _STACKS}
