"""The properties of `watchbot.cdk.Service`, by type. Made by `make docs`.

Each value may hold tokens of CDK. `docs/reference/template.md` describes the options.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from aws_cdk import Duration
from aws_cdk.aws_ec2 import ISecurityGroup, ISubnet
from aws_cdk.aws_ecr_assets import DockerImageAsset
from aws_cdk.aws_ecs import ICluster
from aws_cdk.aws_iam import IManagedPolicy, PolicyStatement
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import IBucket
from aws_cdk.aws_secretsmanager import ISecret
from aws_cdk.aws_sns import ITopic


class ServiceProps(TypedDict, total=False):
    """What `Service` may be given. `service` is its id by default; `image` is required."""

    # Run this command of watchbot in the tasks.
    kind: Literal["listen", "record", "schedule", "console"]
    # Name the service (required).
    service: str
    # Run this image; it contains watchbot.
    image: str | DockerImageAsset
    # Run the image with this tag from the ECR repository SERVICE of this account.
    service_version: str
    # Run this command for each message (required); a JSON list: one item a word.
    command: str | Sequence[str]
    # Read the database's URL from this secret (ARN, or name in Parameter Store); default: a parameter of the stack.
    database: str | ISecret
    # Keep jobs and runs in a DynamoDB table that the stack makes, without --database.
    database_table: bool
    # Read the token of the API, or of the console, from this secret; default: a parameter.
    token: str | ISecret
    # Let stacks declare schedules, with the zip of `make lambda` in this bucket.
    function_bucket: str | IBucket
    # Find the zip in the bucket under this key.
    function_key: str
    # Serve the API of schedules, or the console, on this port.
    port: int
    # Also ask ECS for the tasks of these clusters; all: of every cluster.
    reconcile: Sequence[str]
    # Delete older history; default: never for a record, 30 for schedules.
    retention: int
    # Delete tasks that ended longer ago, with their history; default: never.
    retention_tasks: int
    # Name the task definition's family; default: SERVICE.
    family: str
    # Set a variable for the workers; repeatable.
    env: Mapping[str, str]
    # Set a variable from Secrets Manager or Parameter Store; repeatable.
    secrets: Mapping[str, str | ISecret]
    # Begin each resource's name with this; differs for two services in one stack.
    prefix: str
    # Tag every resource that takes tags; repeatable.
    tags: Mapping[str, str]
    # Run tasks in this ECS cluster; default: one that the stack makes.
    cluster: str | ICluster
    # Run tasks on EC2, FARGATE, FARGATE_SPOT, or providers with their weights.
    capacity: str | Mapping[str, int]
    # Run tasks in these subnets; default: a parameter of the stack (Fargate).
    subnets: Sequence[str | ISubnet]
    # Give tasks these security groups; default: the VPC's.
    security_groups: Sequence[str | ISecurityGroup]
    # Give tasks public addresses; a subnet without NAT needs them.
    public_ip: str | bool
    # Run tasks on this kind of processor.
    architecture: str
    # Give each task this many CPU units; 1024 are one virtual CPU.
    cpu: int
    # Give each container this much memory; ECS ends one that takes more.
    memory: int
    # Reserve this much memory (EC2), less than --memory.
    soft_memory: int
    # Give each task this much disk (Fargate); default: 20.
    ephemeral_storage_gib: int
    # Give the container the host's rights (EC2).
    privileged: bool
    # Let workers write here; emptied after each job, except HOST:PATH (EC2).
    mounts: Sequence[str]
    # Let workers write everywhere, and give each job a fresh container.
    writable_filesystem: bool
    # Give workers no standard input, and the message in the file that MessageFile names.
    no_stdin: bool
    # Set the placement constraints of tasks (EC2).
    placement_constraints: Sequence[Mapping[str, Any]]
    # Set the placement strategies of tasks (EC2).
    placement_strategies: Sequence[Mapping[str, Any]]
    # Roll back a deployment whose tasks do not start.
    deployment_circuit_breaker: bool
    # Check a container's health with this command; none: no check.
    health_check: str
    # Register tasks in this private DNS namespace, for Prometheus.
    service_discovery: str
    # Run at most N tasks.
    max_size: int
    # Keep N tasks also when the queue is empty.
    min_size: int
    # Run at most N workers at once in each task.
    concurrency: int
    # Give a run up to N messages.
    batch_size: int
    # Wait at most this long for a batch to be full.
    batch_window: int | Duration
    # Keep workers running, and hand them messages as lines, or as AWS Lambda does (lambda).
    warm: Literal["off", "lines", "lambda"]
    # Run this function (--warm lambda); without --command by the runtime of a Lambda image.
    handler: str
    # Replace a worker that stays after N runs; 0: never.
    recycle_after: int
    # Replace a worker that stays and holds more memory; 0: never.
    recycle_memory: int
    # Fetch bodies that messages point to, from these S3 buckets alone.
    payload_buckets: Sequence[str]
    # Do not delete a fetched body when its message is done.
    keep_payloads: bool
    # Make several queues, and share the workers of a task among them by weight; repeatable.
    queues: Mapping[str, Any]
    # Make the queue FIFO.
    fifo: bool
    # Put a FIFO topic before the FIFO queue.
    fifo_topic: bool
    # Let SQS deduplicate messages by their body (FIFO).
    content_based_deduplication: bool
    # Keep messages this long.
    message_retention: int | Duration
    # Hide a received message this long; a heartbeat renews it.
    visibility_timeout: int | Duration
    # End a worker that runs longer; 0: after SQS's 12 hours.
    max_job_duration: int | Duration
    # Let workers finish for at most this long on shutdown; Fargate: at most 110.
    drain_timeout: int | Duration
    # Move a message to the dead-letter queue after N receives.
    dead_letter_threshold: int
    # Allow workers these IAM statements.
    permissions: Sequence[Mapping[str, Any] | PolicyStatement]
    # Let schedules start these task definitions: families, or ARNs.
    task_definitions: Sequence[str]
    # Let schedules pass these roles to tasks.
    task_roles: Sequence[str]
    # Let schedules send to these topics and queues, also as dead-letter queues.
    destinations: Sequence[str]
    # Let schedules count the messages of these queues.
    trigger_queues: Sequence[str]
    # Limit every role and user by this policy.
    permissions_boundary: str | IManagedPolicy
    # Encrypt queues, topics, logs, tables and secret; default: AWS's own keys.
    kms_key: str | IKey
    # Make a user, with an access key, that may send messages.
    user: bool
    # Make an HTTPS address whose JSON bodies become messages.
    webhook: bool
    # Require an API key on every call of the webhook.
    webhook_key: bool
    # Log each call of the webhook; the account's API Gateway needs a role for it.
    webhook_access_log: bool
    # Make a table for `watchbot progress`.
    reduce: bool
    # Make a table for `watchbot ctl checkpoint`.
    checkpoints: bool
    # Make a table in which watchers keep failures for 14 days.
    failures: bool
    # Let the console read failures in this table of DynamoDB.
    failures_table: str
    # Let the console show and mend all queues whose names begin with this.
    queue_prefix: str
    # Email failures and alarms to this address.
    notification_email: str
    # Publish failures and alarms to this topic; default: one that the stack makes.
    notification_topic: str | ITopic
    # Write each log line as a JSON object.
    structured_logging: bool
    # Keep logs this long.
    log_retention_days: int
    # Serve /metrics and /healthz of each task on this port.
    metrics_port: int
    # Turn on Container Insights in the stack's own cluster; it costs extra.
    container_insights: bool
    # Make a CloudWatch dashboard.
    dashboard: bool
    # Alarm when more than N messages wait.
    alarm_queue_size: int
    # Alarm after N periods of five minutes above --alarm-queue-size.
    alarm_queue_periods: int
    # Alarm when N workers fail within a minute.
    alarm_worker_errors: int
    # Alarm when a message is older than this.
    alarm_oldest_message: int | Duration
    # Alarm when tasks use more than this share of CPU for ten minutes.
    alarm_cpu: int
    # Alarm when tasks use this share of memory for ten minutes.
    alarm_memory: int
    # Alarm when messages are in the dead-letter queue.
    dead_letter_alarm: bool
    # Alarm when N messages are dead letters.
    alarm_dead_letters: int
    # Link alarms to this page; each adds #name of the alarm.
    alarm_runbook: str

    # The names of ecs-watchbot 10, where they mean the same.
    service_name: str
    memory_limit_mib: int
    memory_reservation_mib: int
    max_scaling_capacity: int
    min_scaling_capacity: int
    environment: Mapping[str, str]
    log_group_retention_days: int
    retention_period: int | Duration
