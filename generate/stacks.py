"""cloudformation/: stacks that are ready to deploy, with parameters for what differs."""

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

# The options that are parameters, by the type that CloudFormation asks for. Without a default in
# the options they have none here, and must be given.
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

_ABOUT = {  # what is asked of who deploys a stack, where it is not what an option asks for
    "command": "What runs for each message; a shell reads it.",
    "subnets": "Where tasks run; they must reach SQS, SNS, ECR and CloudWatch Logs.",
    "security_groups": "What guards the task; the database must let them in.",
    "database": "The ARN of the secret that holds postgresql://USER:PASSWORD@HOST/NAME.",
    "token": "The ARN of the secret that holds the token of the API.",
    "task_definitions": "What jobs may start: ARNs, like arn:aws:ecs:REGION:ACCOUNT:"
    "task-definition/FAMILY:*.",
    "task_roles": "The roles that those tasks have: ARNs.",
    "function_bucket": "The bucket that the zip of `make lambda` is in.",
    "cluster": "The cluster of ECS where tasks run, by its name or ARN.",
}
_ALLOWED = {
    "public_ip": ("DISABLED", "ENABLED"),
    "log_retention_days": LOG_RETENTION_DAYS,
}

_STACKS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "fargate": ({}, _COMMON | _WORKER | _FARGATE),
    "fargate-fifo": (
        {"fifo": True, "content_based_deduplication": True},
        _COMMON | _WORKER | _FARGATE,
    ),
    "fargate-spot": ({"capacity": "FARGATE=1,FARGATE_SPOT=4"}, _COMMON | _WORKER | _FARGATE),
    "ec2": ({"capacity": "EC2"}, _COMMON | _WORKER | {"cluster": "String"}),
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
        later["command"] = [later["command"]]  # one word: a shell takes it apart
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
    """What makes the file of that name."""

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
