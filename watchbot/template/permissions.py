"""The roles of the tasks: what watcher and workers may do, and what ECS may do to start them.

Least privilege: each statement names what it is about. The one `*` is AWS's own demand.
"""

import re
from typing import Any

from troposphere import Sub, iam

from watchbot.template.stack import Stack, given

Statement = dict[str, Any]

_ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.[a-z.]+/([^:@]+)")


def allow(actions: str | list[str], resources: Any) -> Statement:
    """A statement that allows this."""
    named = actions.split() if isinstance(actions, str) else actions
    return {"Effect": "Allow", "Action": named, "Resource": resources}


def assumed_by(service: str) -> dict[str, Any]:
    """The policy that lets a service of AWS take a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(name: str, statements: list[Statement]) -> Any:
    """A policy of a role or a user."""
    document = {"Version": "2012-10-17", "Statement": statements}
    return iam.Policy(PolicyName=name, PolicyDocument=document)


def add_roles(stack: Stack) -> None:
    """The role of the task, and the role that starts it."""
    own = list(stack.options.permissions)
    policies = [policy("watchbot", _watcher(stack))]
    if own:
        policies.append(policy("permissions", own))
    for what, granted in (
        ("TaskRole", policies),
        ("ExecutionRole", [policy("start", _start(stack))]),
    ):
        stack.add(
            what,
            iam.Role,
            AssumeRolePolicyDocument=assumed_by("ecs-tasks.amazonaws.com"),
            Policies=granted,
        )


def _watcher(stack: Stack) -> list[Statement]:
    options = stack.options
    topics = [stack.notified] + ([stack.of("Topic")] if stack.has("Topic") else [])
    statements = [
        allow(
            "sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility"
            " sqs:GetQueueAttributes",
            stack.arn("Queue"),
        ),
        allow("sns:Publish", topics),
        allow(
            "ecs:GetTaskProtection ecs:UpdateTaskProtection",
            Sub(
                "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:task/${Cluster}/*",
                Cluster=stack.cluster,
            ),
        ),
    ]
    if options.fifo:
        statements.append(allow("sqs:SendMessage", stack.arn("Queue")))
    if options.reduce:
        statements.append(
            allow(
                "dynamodb:DeleteItem dynamodb:DescribeTable dynamodb:GetItem dynamodb:PutItem"
                " dynamodb:UpdateItem",
                stack.arn("ProgressTable"),
            )
        )
    return statements + use_of_key(stack)


def use_of_key(stack: Stack) -> list[Statement]:
    """What reading and sending encrypted messages needs, where there is a key of one's own."""
    key = stack.options.kms_key
    return [allow("kms:Decrypt kms:GenerateDataKey", given(key))] if key else []


def _start(stack: Stack) -> list[Statement]:
    options = stack.options
    statements = [
        allow("logs:CreateLogStream logs:PutLogEvents", stack.arn("LogGroup")),
        *_pull(stack),
        *(_read_secret(arn) for arn in options.secrets.values()),
    ]
    if options.secrets and options.kms_key:
        statements.append(allow("kms:Decrypt", given(options.kms_key)))
    return statements


def _pull(stack: Stack) -> list[Statement]:
    repository = _repository(stack)
    if repository is None:
        return []
    return [
        allow("ecr:GetAuthorizationToken", "*"),
        allow(
            "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
            repository,
        ),
    ]


def _repository(stack: Stack) -> Any:
    """The repository in ECR that the image is in; None where it is elsewhere."""
    image = stack.options.image
    if isinstance(image, str):
        place = _ECR_IMAGE.match(image)
        if place is None:
            return None
        account, region, name = place.groups()
        return Sub(f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{name}")
    # Which one is not known yet: any of this account, in this region.
    name = "*" if image else stack.options.service
    return Sub("arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/" + name)


def _read_secret(value: Any) -> Statement:
    if not isinstance(value, str):
        return allow("secretsmanager:GetSecretValue ssm:GetParameters", given(value))
    if not value.startswith("arn:"):
        name = value.removeprefix("/")
        return allow(
            "ssm:GetParameters",
            Sub("arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/" + name),
        )
    if value.split(":")[2] == "ssm":
        return allow("ssm:GetParameters", value)
    # ...:secret:NAME:KEY:STAGE:VERSION names a part of a secret; the whole is what is granted.
    return allow("secretsmanager:GetSecretValue", ":".join(value.split(":")[:7]))
