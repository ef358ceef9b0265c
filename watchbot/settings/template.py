"""The settings of `watchbot template`.

A parameter or another function of CloudFormation may replace most values; see `values`. Values
that decide which resources exist must be known when the template is made.
"""

from typing import Annotated, Literal

from watchbot.settings.base import TWELVE_HOURS_S, Settings, option
from watchbot.settings.buckets import Buckets
from watchbot.settings.template_values import (
    Bucket,
    Capacity,
    Cluster,
    Command,
    Email,
    Family,
    Key,
    Mounts,
    Namespace,
    ObjectKey,
    Prefix,
    Queues,
    RolePolicy,
    Secret,
    ServiceName,
    Topic,
    YesOrNo,
)
from watchbot.settings.values import Intrinsic, Objects, Pairs, Text, Texts, one_of, whole

TWO_WEEKS_S = 1_209_600  # SQS keeps no message longer
FARGATE = ("FARGATE", "FARGATE_SPOT")
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)  # the only values that CloudWatch Logs takes


class TemplateSettings(Settings):
    """Settings of `watchbot template`."""

    # The program
    kind: Literal["listen", "record", "schedule", "console"] = option(
        "listen",
        "Run this command of watchbot in the tasks.",
        "listen|record|schedule|console",
    )
    service: ServiceName = option(..., "Name the service (required).", "NAME")
    image: Text | None = option(None, "Run this image; it contains watchbot.", "URI")
    service_version: Text | None = option(
        None, "Run the image with this tag from the ECR repository SERVICE of this account.", "TAG"
    )
    command: Command | None = option(
        None,
        "Run this command for each message (required); a JSON list: one item a word.",
        "CMD",
    )
    database: Secret | None = option(
        None,
        "Read the database's URL from this secret (ARN, or name in Parameter Store); default: "
        "a parameter of the stack.",
        "ARN|NAME",
    )
    database_table: bool = option(
        False, "Keep jobs and runs in a DynamoDB table that the stack makes, without --database."
    )
    token: Secret | None = option(
        None,
        "Read the token of the API, or of the console, from this secret; default: a parameter.",
        "ARN|NAME",
    )
    function_bucket: Bucket | None = option(
        None, "Let stacks declare schedules, with the zip of `make lambda` in this bucket.", "NAME"
    )
    function_key: ObjectKey | None = option(
        None, "Find the zip in the bucket under this key.", "KEY"
    )
    port: Annotated[int | Intrinsic, whole(1, 65_535)] = option(
        5000, "Serve the API of schedules, or the console, on this port.", "PORT"
    )
    reconcile: Texts = option(
        (),
        "Also ask ECS for the tasks of these clusters; all: of every cluster.",
        "CLUSTER,...|all",
    )
    retention: Annotated[int | Intrinsic, whole(1, 36_500)] | None = option(
        None, "Delete older history; default: never for a record, 30 for schedules.", "DAYS"
    )
    retention_tasks: Annotated[int | Intrinsic, whole(1, 36_500)] | None = option(
        None, "Delete tasks that ended longer ago, with their history; default: never.", "DAYS"
    )
    family: Family | None = option(
        None, "Name the task definition's family; default: SERVICE.", "NAME"
    )
    env: Pairs = option({}, "Set a variable for the workers; repeatable.", "NAME=VALUE")
    secrets: Pairs = option(
        {}, "Set a variable from Secrets Manager or Parameter Store; repeatable.", "NAME=ARN"
    )
    prefix: Prefix = option(
        "Watchbot",
        "Begin each resource's name with this; differs for two services in one stack.",
        "NAME",
    )
    tags: Pairs = option({}, "Tag every resource that takes tags; repeatable.", "NAME=VALUE")

    # The machines
    cluster: Cluster | None = option(
        None, "Run tasks in this ECS cluster; default: one that the stack makes.", "NAME|ARN"
    )
    capacity: Capacity = option(
        "FARGATE",
        "Run tasks on EC2, FARGATE, FARGATE_SPOT, or providers with their weights.",
        "NAME|NAME=N,...",
        validate_default=True,
    )
    subnets: Texts = option(
        (), "Run tasks in these subnets; default: a parameter of the stack (Fargate).", "ID,ID"
    )
    security_groups: Texts = option(
        (), "Give tasks these security groups; default: the VPC's.", "ID,ID"
    )
    public_ip: YesOrNo = option(
        "DISABLED",
        "Give tasks public addresses; a subnet without NAT needs them.",
        "ENABLED|DISABLED",
    )
    architecture: Annotated[str | Intrinsic, one_of("X86_64", "ARM64")] = option(
        "X86_64", "Run tasks on this kind of processor.", "X86_64|ARM64"
    )
    cpu: Annotated[int | Intrinsic, whole(1, 16_384)] = option(
        256, "Give each task this many CPU units; 1024 are one virtual CPU.", "N"
    )
    memory: Annotated[int | Intrinsic, whole(6, 122_880)] = option(
        512, "Give each container this much memory; ECS ends one that takes more.", "MIB"
    )
    soft_memory: Annotated[int | Intrinsic, whole(6, 122_880)] | None = option(
        None, "Reserve this much memory (EC2), less than --memory.", "MIB"
    )
    ephemeral_storage_gib: Annotated[int | Intrinsic, whole(21, 200)] | None = option(
        None, "Give each task this much disk (Fargate); default: 20.", "GIB"
    )
    privileged: bool = option(False, "Give the container the host's rights (EC2).")
    mounts: Mounts = option(
        ("/tmp",),  # noqa: S108 - in the container; every image has it
        "Let workers write here; emptied after each job, except HOST:PATH (EC2).",
        "PATH,PATH",
    )
    writable_filesystem: bool = option(
        False, "Let workers write everywhere, and give each job a fresh container."
    )
    no_stdin: bool = option(
        False, "Give workers no standard input, and the message in the file that MessageFile names."
    )
    placement_constraints: Objects = option(
        (), "Set the placement constraints of tasks (EC2).", "JSON"
    )
    placement_strategies: Objects = option(
        (), "Set the placement strategies of tasks (EC2).", "JSON"
    )
    deployment_circuit_breaker: bool = option(
        True, "Roll back a deployment whose tasks do not start."
    )
    health_check: Text = option(
        "watchbot healthcheck",
        "Check a container's health with this command; none: no check.",
        "CMD",
    )
    service_discovery: Namespace | None = option(
        None, "Register tasks in this private DNS namespace, for Prometheus.", "ID"
    )

    # The number of tasks and workers
    max_size: Annotated[int | Intrinsic, whole(1, 5000)] = option(1, "Run at most N tasks.", "N")
    min_size: Annotated[int | Intrinsic, whole(0, 5000)] = option(
        0, "Keep N tasks also when the queue is empty.", "N"
    )
    concurrency: Annotated[int | Intrinsic, whole(1, 10_000)] = option(
        1, "Run at most N workers at once in each task.", "N"
    )
    batch_size: Annotated[int | Intrinsic, whole(1, 10_000)] = option(
        1, "Give a run up to N messages.", "N"
    )
    batch_window: Annotated[int | Intrinsic, whole(0, 300)] = option(
        0, "Wait at most this long for a batch to be full.", "S"
    )
    warm: Literal["off", "lines", "lambda"] = option(
        "off",
        "Keep workers running, and hand them messages as lines, or as AWS Lambda does (lambda).",
        "off|lines|lambda",
    )
    handler: Text | None = option(
        None,
        "Run this function (--warm lambda); without --command by the runtime of a Lambda image.",
        "NAME",
    )
    recycle_after: Annotated[int | Intrinsic, whole(0, 1_000_000_000)] = option(
        0, "Replace a worker that stays after N runs; 0: never.", "N"
    )
    recycle_memory: Annotated[int | Intrinsic, whole(0, 122_880)] = option(
        0, "Replace a worker that stays and holds more memory; 0: never.", "MB"
    )

    payload_buckets: Buckets = option(
        (), "Fetch bodies that messages point to, from these S3 buckets alone.", "NAME,NAME"
    )
    keep_payloads: bool = option(False, "Do not delete a fetched body when its message is done.")

    # The queue, or the queues
    queues: Queues = option(
        {},
        "Make several queues, and share the workers of a task among them by weight; repeatable.",
        "NAME=WEIGHT",
    )
    fifo: bool = option(False, "Make the queue FIFO.")
    fifo_topic: bool = option(False, "Put a FIFO topic before the FIFO queue.")
    content_based_deduplication: bool = option(
        True, "Let SQS deduplicate messages by their body (FIFO)."
    )
    message_retention: Annotated[int | Intrinsic, whole(60, TWO_WEEKS_S)] = option(
        TWO_WEEKS_S, "Keep messages this long.", "S"
    )
    visibility_timeout: Annotated[int | Intrinsic, whole(1, TWELVE_HOURS_S)] = option(
        180, "Hide a received message this long; a heartbeat renews it.", "S"
    )
    max_job_duration: Annotated[int | Intrinsic, whole(0, TWELVE_HOURS_S)] = option(
        0, "End a worker that runs longer; 0: after SQS's 12 hours.", "S"
    )
    drain_timeout: Annotated[int | Intrinsic, whole(0, TWELVE_HOURS_S)] = option(
        110, "Let workers finish for at most this long on shutdown; Fargate: at most 110.", "S"
    )
    dead_letter_threshold: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        10, "Move a message to the dead-letter queue after N receives.", "N"
    )

    # Permissions
    permissions: Objects = option((), "Allow workers these IAM statements.", "JSON")
    task_definitions: Texts = option(
        (), "Let schedules start these task definitions: families, or ARNs.", "NAME|ARN,..."
    )
    task_roles: Texts = option((), "Let schedules pass these roles to tasks.", "ARN,...")
    destinations: Texts = option(
        (), "Let schedules send to these topics and queues, also as dead-letter queues.", "ARN,..."
    )
    trigger_queues: Texts = option(
        (), "Let schedules count the messages of these queues.", "ARN,..."
    )
    permissions_boundary: RolePolicy | None = option(
        None, "Limit every role and user by this policy.", "ARN"
    )
    kms_key: Key | None = option(
        None, "Encrypt queues, topics, logs, tables and secret; default: AWS's own keys.", "ARN"
    )
    user: bool = option(False, "Make a user, with an access key, that may send messages.")
    webhook: bool = option(False, "Make an HTTPS address whose JSON bodies become messages.")
    webhook_key: bool = option(False, "Require an API key on every call of the webhook.")
    webhook_access_log: bool = option(
        False, "Log each call of the webhook; the account's API Gateway needs a role for it."
    )
    reduce: bool = option(False, "Make a table for `watchbot progress`.")
    checkpoints: bool = option(False, "Make a table for `watchbot ctl checkpoint`.")
    failures: bool = option(False, "Make a table in which watchers keep failures for 14 days.")
    failures_table: Text | None = option(
        None, "Let the console read failures in this table of DynamoDB.", "NAME"
    )
    queue_prefix: Text | None = option(
        None, "Let the console show and mend all queues whose names begin with this.", "NAME"
    )

    # Logs, metrics and alarms
    notification_email: Email | None = option(
        None, "Email failures and alarms to this address.", "ADDRESS"
    )
    notification_topic: Topic | None = option(
        None, "Publish failures and alarms to this topic; default: one that the stack makes.", "ARN"
    )
    structured_logging: bool = option(False, "Write each log line as a JSON object.")
    log_retention_days: Annotated[int | Intrinsic, one_of(*LOG_RETENTION_DAYS)] = option(
        14, "Keep logs this long.", "DAYS"
    )
    metrics_port: Annotated[int | Intrinsic, whole(1, 65_535)] = option(
        9090, "Serve /metrics and /healthz of each task on this port.", "PORT"
    )
    container_insights: bool = option(
        False, "Turn on Container Insights in the stack's own cluster; it costs extra."
    )
    dashboard: bool = option(True, "Make a CloudWatch dashboard.")
    alarm_queue_size: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        40, "Alarm when more than N messages wait.", "N"
    )
    alarm_queue_periods: Annotated[int | Intrinsic, whole(1, 288)] = option(
        24, "Alarm after N periods of five minutes above --alarm-queue-size.", "N"
    )
    alarm_worker_errors: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        10, "Alarm when N workers fail within a minute.", "N"
    )
    alarm_oldest_message: Annotated[int | Intrinsic, whole(60, TWO_WEEKS_S)] = option(
        86_400, "Alarm when a message is older than this.", "S"
    )
    alarm_cpu: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        90, "Alarm when tasks use more than this share of CPU for ten minutes.", "PERCENT"
    )
    alarm_memory: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        100, "Alarm when tasks use this share of memory for ten minutes.", "PERCENT"
    )
    dead_letter_alarm: bool = option(True, "Alarm when messages are in the dead-letter queue.")
    alarm_dead_letters: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        1, "Alarm when N messages are dead letters.", "N"
    )
    alarm_runbook: str = option(
        "docs/how-to/alarms.md", "Link alarms to this page; each adds #name of the alarm.", "URL"
    )

    @property
    def fargate(self) -> bool:
        """Whether tasks run on Fargate, spot or not."""
        return all(name in FARGATE for name in self.capacity)

    @property
    def deduplicates(self) -> bool:
        """Whether queue and topic deduplicate messages by their body."""
        return self.fifo and self.content_based_deduplication

    @property
    def own_network(self) -> bool:
        """Whether each task has an address of its own: always on Fargate, else with subnets."""
        return self.fargate or bool(self.subnets)
