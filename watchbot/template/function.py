"""Adds the custom resource: the function with which other stacks declare schedules."""

from troposphere import awslambda, iam

from watchbot.template.permissions import allow, assumed_by, policy, use_of_key
from watchbot.template.stack import Stack, given

PYTHON = "3.12"  # the version for which `make lambda` builds
TIMEOUT_S = 30  # CloudFormation itself waits an hour


def add_function(stack: Stack) -> None:
    """Adds the function and its role."""
    options = stack.options
    statements = [
        allow("dynamodb:DeleteItem dynamodb:PutItem", stack.arn("StacksTable")),
        allow("logs:CreateLogStream logs:PutLogEvents", stack.arn("LogGroup")),
        *use_of_key(stack),
    ]
    stack.add(
        "FunctionRole",
        iam.Role,
        AssumeRolePolicyDocument=assumed_by("lambda.amazonaws.com"),
        Policies=[policy("watchbot", statements)],
    )
    stack.add(
        "Function",
        awslambda.Function,
        Description="Writes the schedules of stacks to a table",
        Runtime=f"python{PYTHON}",
        Architectures=["x86_64"],
        Handler="watchbot.schedule.custom_resource.handler",
        Code=awslambda.Code(
            S3Bucket=given(options.function_bucket), S3Key=given(options.function_key)
        ),
        Role=stack.arn("FunctionRole"),
        Timeout=TIMEOUT_S,
        MemorySize=512,  # Lambda gives CPU in proportion, and the imports need CPU
        LoggingConfig=awslambda.LoggingConfig(LogGroup=stack.of("LogGroup")),
    )
    stack.output("Token", stack.of("Function"), "The function that stacks call", bare=True)
    stack.output(
        "TokenArn",
        stack.arn("Function"),
        "The ServiceToken of Custom::ScheduleTask",
        ref="service_token",
        bare=True,
    )
