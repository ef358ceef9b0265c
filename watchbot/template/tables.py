"""Adds DynamoDB tables: progress of jobs, checkpoints, failures, schedules and their database."""

from typing import Any

from troposphere import dynamodb

from watchbot.template.stack import Stack, given


def add_progress_table(stack: Stack) -> None:
    """Adds the table of `watchbot progress`, in reduce mode."""
    _add_table(stack, "ProgressTable", _keys(id="HASH"), TimeToLiveSpecification=_expires())
    stack.output("ProgressTable", stack.of("ProgressTable"), "What is done", ref="progress_table")


def add_checkpoints_table(stack: Stack) -> None:
    """Adds the table of checkpoints."""
    _add_table(stack, "CheckpointsTable", _keys(id="HASH"), TimeToLiveSpecification=_expires())
    stack.output(
        "CheckpointsTable", stack.of("CheckpointsTable"), "Checkpoints", ref="checkpoints_table"
    )


def add_failures_table(stack: Stack) -> None:
    """Adds the table in which watchers keep failures."""
    keys = _keys(part="HASH", at="RANGE")
    _add_table(stack, "FailuresTable", keys, TimeToLiveSpecification=_expires())
    stack.output("FailuresTable", stack.of("FailuresTable"), "Failures", ref="failures_table")


def add_database_table(stack: Stack) -> None:
    """Adds the database of `watchbot schedule`, which outlives the stack to keep the jobs."""
    index = dynamodb.GlobalSecondaryIndex(
        IndexName="work",
        KeySchema=_keys(work="HASH", at="RANGE"),
        Projection=dynamodb.Projection(ProjectionType="ALL"),
    )
    _add_table(
        stack,
        "DatabaseTable",
        _keys(pk="HASH", sk="RANGE"),
        GlobalSecondaryIndexes=[index],
        TimeToLiveSpecification=_expires(),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
    stack.output("DatabaseTable", stack.of("DatabaseTable"), "Jobs and runs", ref="database_table")


def add_stacks_table(stack: Stack) -> None:
    """Adds the table of the schedules that stacks declare."""
    _add_table(stack, "StacksTable", _keys(id="HASH"))
    stack.output(
        "SchedulerDynamoDBTable",
        stack.of("StacksTable"),
        "The schedules of stacks",
        ref="stacks_table",
        bare=True,
    )


def _expires() -> Any:
    return dynamodb.TimeToLiveSpecification(AttributeName="expires", Enabled=True)


def _keys(**kinds: str) -> list[Any]:
    return [dynamodb.KeySchema(AttributeName=name, KeyType=kind) for name, kind in kinds.items()]


def _add_table(stack: Stack, what: str, keys: list[Any], **more: Any) -> None:
    schemas = [keys, *(index.KeySchema for index in more.get("GlobalSecondaryIndexes", ()))]
    named = [key.AttributeName for schema in schemas for key in schema]
    kms_key = given(stack.options.kms_key)
    stack.add(
        what,
        dynamodb.Table,
        AttributeDefinitions=[
            dynamodb.AttributeDefinition(AttributeName=name, AttributeType="S") for name in named
        ],
        KeySchema=keys,
        BillingMode="PAY_PER_REQUEST",
        SSESpecification=dynamodb.SSESpecification(
            SSEEnabled=True, SSEType="KMS", KMSMasterKeyId=kms_key
        )
        if kms_key
        else None,
        PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True
        ),
        **more,
    )
