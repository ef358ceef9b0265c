"""Adds the roles of the tasks: permissions of the program, and permissions of ECS to start it.

Each statement names its resources (least privilege). `WILDCARDS` has the reason of each exception.
"""

import re
from typing import Any

from troposphere import Sub, iam

from watchbot.settings.values import is_intrinsic
from watchbot.template.branches import arns, topics
from watchbot.template.stack import Stack, given
from watchbot.template.variables import secret_variables

Statement = dict[str, Any]

_NO_RESOURCE = "IAM has no resource type for this action"
_LATER = "a task gets its id when it starts"
_ANY_IMAGE = "the image is a parameter, so its repository is not known yet"

WILDCARDS = {  # the reason for each action on resources with a `*`
    "ecr:GetAuthorizationToken": _NO_RESOURCE,
    "ecr:BatchCheckLayerAvailability": _ANY_IMAGE,
    "ecr:BatchGetImage": _ANY_IMAGE,
    "ecr:GetDownloadUrlForLayer": _ANY_IMAGE,
    "ecs:GetTaskProtection": _LATER,
    "ecs:UpdateTaskProtection": _LATER,
    "ecs:DescribeTasks": _LATER,
    "ecs:DescribeTaskDefinition": _NO_RESOURCE,
    "ecs:ListClusters": _NO_RESOURCE,
    "ecs:ListTasks": "its resource type is the container instance, and Fargate has none",
    "ecs:RunTask": "each deployment makes a new revision",
    "ecs:StopTask": _LATER,
    "s3:GetObject": "senders choose the keys of their objects",
    "s3:DeleteObject": "senders choose the keys of their objects",
    "cloudwatch:GetMetricData": _NO_RESOURCE,
    "sqs:ListQueues": _NO_RESOURCE,
    **dict.fromkeys(
        (
            *("sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:TagQueue", "sqs:UntagQueue"),
            *("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"),
            "sqs:SendMessage",
        ),
        "the console shows all queues whose names begin with a prefix",
    ),
    "sqs:*": "the statement denies all actions without TLS",
}

_DATABASE = (  # IAM grants a transaction by the actions of its parts
    "dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:DescribeTable"
    " dynamodb:DescribeTimeToLive dynamodb:GetItem dynamodb:PutItem dynamodb:Query"
    " dynamodb:UpdateItem"
)

_ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.[a-z.]+/([^:@]+)")


def allow(actions: str | list[str], resources: Any) -> Statement:
    """A statement that allows these actions on these resources."""
    named = actions.split() if isinstance(actions, str) else actions
    return {"Effect": "Allow", "Action": named, "Resource": resources}


def assumed_by(service: str) -> dict[str, Any]:
    """A policy that lets an AWS service assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(name: str, statements: list[Statement]) -> Any:
    """A policy of a role or a user."""
    document = {"Version": "2012-10-17", "Statement": statements}
    return iam.Policy(PolicyName=name, PolicyDocument=document)


def add_roles(stack: Stack) -> None:
    """Adds the role of the task, and the role with which ECS starts the task."""
    own = list(stack.options.permissions)
    granted = _GRANTED[stack.options.kind]
    policies = [policy("watchbot", granted(stack))]
    if own:
        policies.append(policy("permissions", own))
    for what, held in (("TaskRole", policies), ("ExecutionRole", [policy("start", _start(stack))])):
        stack.add(
            what,
            iam.Role,
            AssumeRolePolicyDocument=assumed_by("ecs-tasks.amazonaws.com"),
            Policies=held,
        )
    stack.output("TaskRoleName", stack.of("TaskRole"), "Attach policies for workers to this role")


def _listen(stack: Stack) -> list[Statement]:
    options = stack.options
    own_tasks = Sub(_ecs_arn("task/${Cluster}/*"), Cluster=stack.cluster)
    statements = [
        _consume(stack),
        # For `watchbot pause`, whose tag the watcher looks for. It may not set it: a worker has
        # the watcher's role, and could pause its own queue.
        allow("sqs:ListQueueTags", arns(stack, "Queue")),
        # For WATCHBOT_MAX_ATTEMPTS, with which the watcher itself moves messages.
        allow("sqs:SendMessage sqs:GetQueueAttributes", arns(stack, "DeadLetterQueue")),
        allow("sns:Publish", [stack.notified, *topics(stack)]),
        allow("ecs:GetTaskProtection ecs:UpdateTaskProtection", own_tasks),
    ]
    if options.fifo:
        statements.append(allow("sqs:SendMessage", arns(stack, "Queue")))
    if options.reduce:
        statements.append(
            allow(
                "dynamodb:DeleteItem dynamodb:DescribeTable dynamodb:GetItem dynamodb:PutItem"
                " dynamodb:UpdateItem",
                stack.arn("ProgressTable"),
            )
        )
    if options.checkpoints:
        actions = "dynamodb:DeleteItem dynamodb:GetItem dynamodb:UpdateItem"
        statements.append(allow(actions, stack.arn("CheckpointsTable")))
    if options.failures:
        statements.append(allow("dynamodb:PutItem dynamodb:UpdateItem", stack.arn("FailuresTable")))
    return statements + _payloads(stack) + use_of_key(stack)


def _payloads(stack: Stack) -> list[Statement]:
    buckets = stack.options.payload_buckets
    if not buckets:
        return []
    actions = "s3:GetObject" if stack.options.keep_payloads else "s3:GetObject s3:DeleteObject"
    arns = ["arn:${AWS::Partition}:s3:::" + bucket for bucket in buckets]
    return [
        allow(actions, [Sub(f"{arn}/*") for arn in arns]),
        allow("s3:ListBucket", list(map(Sub, arns))),  # else a missing object looks forbidden
    ]


def _record(stack: Stack) -> list[Statement]:
    asked = "ecs:DescribeTaskDefinition"  # tells which containers are essential
    statements = [_consume(stack)]
    if stack.options.reconcile:
        asked += " ecs:ListClusters ecs:ListTasks"
        statements.append(allow("ecs:DescribeTasks", Sub(_ecs_arn("task/*"))))
    return [*statements, allow(asked, "*"), *use_of_key(stack)]


def _schedule(stack: Stack) -> list[Statement]:
    options = stack.options
    statements = [allow("sns:Publish", stack.notified)]
    if options.task_definitions:
        statements += _start_tasks(stack)
    if options.task_roles:
        passing = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        statements.append(
            {**allow("iam:PassRole", given(options.task_roles)), "Condition": passing}
        )
    if options.destinations:
        statements.append(allow("sns:Publish sqs:SendMessage", given(options.destinations)))
    if options.trigger_queues:
        counting = "sqs:GetQueueAttributes sqs:GetQueueUrl"
        statements.append(allow(counting, given(options.trigger_queues)))
    if stack.has("DatabaseTable"):
        statements.append(allow(_DATABASE, _with_indexes(stack.arn("DatabaseTable"))))
    if stack.has("StacksTable"):
        statements.append(allow("dynamodb:Scan", stack.arn("StacksTable")))
    return [*statements, *use_of_key(stack)]


def _console(stack: Stack) -> list[Statement]:
    options = stack.options
    queues = Sub(_SQS_ARN + "${Prefix}*", Prefix=given(options.queue_prefix))
    statements = [
        allow("sqs:ListQueues cloudwatch:GetMetricData", "*"),
        allow(
            "sqs:GetQueueAttributes sqs:ListQueueTags sqs:TagQueue sqs:UntagQueue"
            " sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:SendMessage",
            queues,
        ),
    ]
    if options.failures_table:
        table = Sub(_TABLE_ARN + "${Table}", Table=given(options.failures_table))
        statements.append(allow("dynamodb:Query", table))
    return [*statements, *use_of_key(stack)]


_SQS_ARN = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
_TABLE_ARN = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"
_GRANTED = {"listen": _listen, "record": _record, "schedule": _schedule, "console": _console}


def _with_indexes(table: Any) -> list[Any]:
    return [table, Sub("${Table}/index/work", Table=table)]


def _start_tasks(stack: Stack) -> list[Statement]:
    cluster = Sub(_ecs_arn("cluster/${Cluster}"), Cluster=stack.cluster)
    tasks = Sub(_ecs_arn("task/${Cluster}/*"), Cluster=stack.cluster)
    there = {"Condition": {"ArnEquals": {"ecs:cluster": cluster}}}
    return [
        {**allow("ecs:RunTask", _definitions(stack.options.task_definitions)), **there},
        {**allow("ecs:ListTasks", "*"), **there},
        allow("ecs:DescribeTasks ecs:StopTask", tasks),
        allow("ecs:DescribeTaskDefinition", "*"),
    ]


def _definitions(named: Any) -> Any:
    """The ARNs of task definitions; a family stands for all of its revisions."""
    if is_intrinsic(named):
        return given(named)
    return [
        given(each)
        if is_intrinsic(each) or each.startswith("arn:")
        else Sub(_ecs_arn(f"task-definition/{each}:*"))
        for each in named
    ]


def _consume(stack: Stack) -> Statement:
    return allow(
        "sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes",
        arns(stack, "Queue"),
    )


def _ecs_arn(resource: str) -> str:
    return "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:" + resource


def use_of_key(stack: Stack) -> list[Statement]:
    """Statements for reading and sending messages under the user's own key, if there is one."""
    key = stack.options.kms_key
    return [allow("kms:Decrypt kms:GenerateDataKey", given(key))] if key else []


def _start(stack: Stack) -> list[Statement]:
    options = stack.options
    secrets = secret_variables(options)
    statements = [
        allow("logs:CreateLogStream logs:PutLogEvents", stack.arn("LogGroup")),
        *_pull(stack),
        *(_read_secret(arn) for arn in secrets.values()),
    ]
    if secrets and options.kms_key:
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
    """The ARN of the image's ECR repository; None if the image is in another registry."""
    image = stack.options.image
    if isinstance(image, str):
        found = _ECR_IMAGE.match(image)
        if found is None:
            return None
        account, region, name = found.groups()
        return Sub(f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{name}")
    # The image is a parameter: allows every repository of this account and region.
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
    # ...:secret:NAME:KEY:STAGE:VERSION names a part of a secret; IAM grants whole secrets only.
    return allow("secretsmanager:GetSecretValue", ":".join(value.split(":")[:7]))
