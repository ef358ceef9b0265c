"""Makes cloudformation/: stacks that are ready to deploy, with parameters."""

from collections.abc import Callable
from typing import Any

import watchbot
from watchbot.settings.template import LOG_RETENTION_DAYS, TemplateSettings
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
_ALLOWED = {
    "public_ip": ("DISABLED", "ENABLED"),
    "log_retention_days": LOG_RETENTION_DAYS,
}

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


def _stack(name: str) -> dict[str, Any]:
    fixed, asked = _STACKS[name]
    later: dict[str, Any] = {option: {"Ref": _parameter(option)} for option in asked}
    if "command" in later:
        later["command"] = [later["command"]]  # one word, which a shell splits
    made = watchbot.template({"service": "worker", **later, **fixed})
    asking = {_parameter(option): _declared(option, kind) for option, kind in asked.items()}
    return {name: {**made, "Parameters": asking}[name] for name in SECTIONS}


def _declared(option: str, kind: str) -> dict[str, Any]:
    field = TemplateSettings.model_fields[option]
    about: dict[str, Any] = {"Type": kind, "Description": _ABOUT.get(option, field.description)}
    if field.default not in (None, ()):
        about["Default"] = field.default
    if option in _ALLOWED:
        about["AllowedValues"] = list(_ALLOWED[option])
    return about


def _parameter(option: str) -> str:
    return option.title().replace("_", "")


def stack(name: str) -> Callable[[], str]:
    """The function that makes the file with this name."""

    def text() -> str:
        made = _stack(name)
        required = [
            f"{each}=..."
            for each, declared in made["Parameters"].items()
            if "Default" not in declared
        ]
        start = _START.format(file=f"cloudformation/{name}.yaml", required=" ".join(required))
        return start + written(made, "yaml")

    return text


STACKS = {f"cloudformation/{name}.yaml": stack(name) for name in _STACKS}
