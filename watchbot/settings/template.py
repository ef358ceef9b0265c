"""What `watchbot template` puts into a stack.

Where a value is free, a parameter or another function of CloudFormation may stand in for it; see
`values`. What decides which resources there are must be known when the template is made.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from watchbot.settings.base import TWELVE_HOURS_S, Settings, option
from watchbot.settings.values import (
    Intrinsic,
    Objects,
    Pairs,
    Text,
    Texts,
    is_intrinsic,
    literal,
    one_of,
    text,
    whole,
)

TWO_WEEKS_S = 1_209_600  # SQS keeps nothing longer
FARGATE = ("FARGATE", "FARGATE_SPOT")
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)  # CloudWatch Logs takes no others


def _capacity(value: object) -> object:
    if isinstance(value, str):
        value = dict(part.partition("=")[::2] for part in value.split(","))
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be EC2, FARGATE, FARGATE_SPOT or NAME=WEIGHT,..., not {value!r}")
    return {str(name).strip(): _weight(str(name), weight) for name, weight in value.items()}


def _weight(name: str, weight: object) -> int:
    words = str(weight or 1)
    if not name.strip() or not words.isdigit() or not 1 <= int(words) <= 1000:
        raise ValueError(f"must give each provider a weight of 1 to 1000, not {name}={weight}")
    return int(words)


def _command(value: object) -> object:
    return (value,) if isinstance(value, str) and not value.lstrip().startswith("[") else value


def _not_empty(value: tuple[Any, ...] | Intrinsic) -> tuple[Any, ...] | Intrinsic:
    if not value or (not is_intrinsic(value) and not all(value)):
        raise ValueError("is empty; name the command to run")
    return value


def _mounts(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"must be paths, not {value!r}")
    named = (part.strip() for each in given for part in str(each).split(","))
    mounts = tuple(dict.fromkeys(mount for mount in named if mount))
    for mount in mounts:
        if not _is_mount(mount):
            raise ValueError(f"must be /PATH, or /HOST/PATH:/PATH, not {mount!r}")
    return mounts


def _is_mount(mount: str) -> bool:
    paths = mount.split(":")
    return len(paths) <= 2 and all(path.startswith("/") and len(path) > 1 for path in paths)


SERVICE = literal(r"[A-Za-z][A-Za-z0-9_-]{0,63}", "a letter, then letters, digits, - and _")
PREFIX = literal(r"[A-Za-z0-9]{1,64}", "letters and digits alone")
TOPIC = text(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+", "the ARN of a topic that is not FIFO")
EMAIL = text(r"[^@\s]+@[^@\s]+", "an email address")
ROLE_POLICY = text(r"arn:[\w-]+:iam::(\d{12}|aws):policy/.+", "the ARN of a policy of IAM")
KEY = text(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/.+", "the ARN of a key of KMS")
NAMESPACE = text(r"ns-\w+", "the id of a namespace of Cloud Map, like ns-abc123")
CLUSTER = text(r"arn:[\w-]+:ecs:[\w-]+:\d{12}:cluster/[\w-]+|[\w-]{1,255}", "a name or an ARN")
FAMILY = text(r"[\w-]{1,255}", "letters, digits, - and _")
# Often somebody gives the URL itself, with its password.
SECRET = text(
    r"arn:[\w-]+:(secretsmanager|ssm):.+|/?[\w.-]+(/[\w.-]+)*",
    "the ARN of a secret, or a name in Parameter Store",
    secret=True,
)
BUCKET = text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket, without s3://")
OBJECT = text(r"(?!s3://|/).{1,1024}", "what stands after the bucket, as lambda/watchbot.zip")
YES_OR_NO = one_of("ENABLED", "DISABLED")


class TemplateSettings(Settings):
    """`watchbot template`."""

    # What runs
    kind: Literal["listen", "record", "schedule"] = option(
        "listen",
        "What the tasks run: `watchbot listen`, `watchbot record` or `watchbot schedule`.",
        "listen|record|schedule",
    )
    service: Annotated[str, SERVICE] = option(..., "What the service is called (required).", "NAME")
    image: Text | None = option(None, "The image to run, watchbot in it.", "URI")
    service_version: Text | None = option(
        None, "The tag of an image in this account's ECR, in the repository SERVICE.", "TAG"
    )
    command: Annotated[Texts, BeforeValidator(_command), AfterValidator(_not_empty)] | None = (
        option(None, "What runs for each message (required); a JSON list: word by word.", "CMD")
    )
    database: Annotated[str | Intrinsic, SECRET] | None = option(
        None,
        "The secret with the URL of the database: ARN, or name in Parameter Store; else the stack "
        "asks for it.",
        "ARN|NAME",
    )
    database_table: bool = option(
        False, "Keep jobs and runs in a table of DynamoDB that the stack makes; no --database."
    )
    token: Annotated[str | Intrinsic, SECRET] | None = option(
        None, "The secret with the token of the API, alike; else the stack asks for it.", "ARN|NAME"
    )
    function_bucket: Annotated[str | Intrinsic, BUCKET] | None = option(
        None, "Where the zip of `make lambda` is: then stacks can declare schedules.", "NAME"
    )
    function_key: Annotated[str | Intrinsic, OBJECT] | None = option(
        None, "What the zip is called in that bucket.", "KEY"
    )
    port: Annotated[int | Intrinsic, whole(1, 65_535)] = option(
        5000, "Where the API of schedules is served.", "PORT"
    )
    reconcile: Texts = option(
        (), "Clusters that the record asks ECS about, too; all: every one.", "CLUSTER,...|all"
    )
    retention: Annotated[int | Intrinsic, whole(1, 36_500)] | None = option(
        None, "Forget after so long; else a record never, schedules after 30.", "DAYS"
    )
    family: Annotated[str | Intrinsic, FAMILY] | None = option(
        None, "The family of the task definition; else SERVICE.", "NAME"
    )
    env: Pairs = option({}, "A variable for the workers; may be given often.", "NAME=VALUE")
    secrets: Pairs = option(
        {}, "A variable from Secrets Manager or Parameter Store; may be given often.", "NAME=ARN"
    )
    prefix: Annotated[str, PREFIX] = option(
        "Watchbot", "Begins the name of each resource; two services in one stack differ.", "NAME"
    )
    tags: Pairs = option(
        {}, "A tag of every resource that takes tags; may be given often.", "NAME=VALUE"
    )

    # Where it runs
    cluster: Annotated[str | Intrinsic, CLUSTER] | None = option(
        None, "The cluster of ECS; else the stack has its own.", "NAME|ARN"
    )
    capacity: Annotated[dict[str, int], BeforeValidator(_capacity)] = option(
        "FARGATE",
        "EC2, FARGATE, FARGATE_SPOT, or providers with their weights.",
        "NAME|NAME=N,...",
        validate_default=True,
    )
    subnets: Texts = option((), "Where tasks run; else the stack asks for it (Fargate).", "ID,ID")
    security_groups: Texts = option((), "What guards them; else the VPC's own.", "ID,ID")
    public_ip: Annotated[str | Intrinsic, YES_OR_NO] = option(
        "DISABLED",
        "Give tasks public addresses: a subnet without NAT needs that.",
        "ENABLED|DISABLED",
    )
    architecture: Annotated[str | Intrinsic, one_of("X86_64", "ARM64")] = option(
        "X86_64", "The processor that the image is made for.", "X86_64|ARM64"
    )
    cpu: Annotated[int | Intrinsic, whole(1, 16_384)] = option(
        256, "CPU units; 1024 are one virtual CPU.", "N"
    )
    memory: Annotated[int | Intrinsic, whole(6, 122_880)] = option(
        512, "Memory; a container that takes more is ended.", "MIB"
    )
    soft_memory: Annotated[int | Intrinsic, whole(6, 122_880)] | None = option(
        None, "Memory to reserve (EC2), less than --memory.", "MIB"
    )
    ephemeral_storage_gib: Annotated[int | Intrinsic, whole(21, 200)] | None = option(
        None, "Disk of each task (Fargate); else 20.", "GIB"
    )
    privileged: bool = option(False, "Give the container the host's rights (EC2).")
    mounts: Annotated[tuple[str, ...], BeforeValidator(_mounts)] = option(
        ("/tmp",),  # noqa: S108 - of the container, and every image has it
        "Directories that workers may write; emptied after jobs. HOST:PATH (EC2) is not.",
        "PATH,PATH",
    )
    writable_filesystem: bool = option(
        False, "Let workers write everywhere; each job gets a fresh container."
    )
    placement_constraints: Objects = option((), "Where tasks may be placed (EC2).", "JSON")
    placement_strategies: Objects = option((), "How tasks are placed (EC2).", "JSON")
    deployment_circuit_breaker: bool = option(
        True, "Roll a deployment back whose tasks do not start."
    )
    health_check: Text = option(
        "watchbot healthcheck", "Tells whether a container is well; none: nothing does.", "CMD"
    )
    service_discovery: Annotated[str | Intrinsic, NAMESPACE] | None = option(
        None, "A private DNS namespace where Prometheus finds the tasks.", "ID"
    )

    # How many
    max_size: Annotated[int | Intrinsic, whole(1, 5000)] = option(1, "Most tasks at once.", "N")
    min_size: Annotated[int | Intrinsic, whole(0, 5000)] = option(
        0, "Tasks that stay when there is nothing to do.", "N"
    )
    concurrency: Annotated[int | Intrinsic, whole(1, 10_000)] = option(
        1, "Workers at once in each task.", "N"
    )

    # The queue
    fifo: bool = option(False, "Make the queue FIFO.")
    fifo_topic: bool = option(False, "Put a FIFO topic before the FIFO queue.")
    content_based_deduplication: bool = option(
        True, "Let SQS tell repetitions by their body (FIFO)."
    )
    message_retention: Annotated[int | Intrinsic, whole(60, TWO_WEEKS_S)] = option(
        TWO_WEEKS_S, "How long messages are kept.", "S"
    )
    visibility_timeout: Annotated[int | Intrinsic, whole(1, TWELVE_HOURS_S)] = option(
        180, "How long a message stays a watcher's without a heartbeat.", "S"
    )
    max_job_duration: Annotated[int | Intrinsic, whole(0, TWELVE_HOURS_S)] = option(
        0, "Ends a worker that runs longer; 0: SQS's 12 hours.", "S"
    )
    drain_timeout: Annotated[int | Intrinsic, whole(0, TWELVE_HOURS_S)] = option(
        110, "What workers get when their task is stopped; Fargate: 110 at most.", "S"
    )
    dead_letter_threshold: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        10, "A message is dead after so many receives.", "N"
    )

    # Who may do what
    permissions: Objects = option((), "What workers may do: statements of IAM.", "JSON")
    task_definitions: Texts = option(
        (), "What schedules may start, in their cluster: families, or ARNs.", "NAME|ARN,..."
    )
    task_roles: Texts = option((), "The roles that those tasks have.", "ARN,...")
    destinations: Texts = option(
        (), "Topics and queues that schedules may send to; dead-letter queues, too.", "ARN,..."
    )
    trigger_queues: Texts = option((), "Queues whose messages schedules may count.", "ARN,...")
    permissions_boundary: Annotated[str | Intrinsic, ROLE_POLICY] | None = option(
        None, "A policy that bounds every role and user.", "ARN"
    )
    kms_key: Annotated[str | Intrinsic, KEY] | None = option(
        None, "Encrypts queues, topics, logs, tables and secret; else AWS's own keys.", "ARN"
    )
    user: bool = option(False, "Make a user, with an access key, that may send messages.")
    webhook: bool = option(False, "Make an HTTPS address whose JSON bodies become messages.")
    webhook_key: bool = option(False, "Let the webhook take calls with an API key alone.")
    webhook_access_log: bool = option(
        False, "Log each call of the webhook; the account's API Gateway needs a role for it."
    )
    reduce: bool = option(False, "Make a table for `watchbot progress`.")

    # What is told, and to whom
    notification_email: Annotated[str | Intrinsic, EMAIL] | None = option(
        None, "Who is told about failures and alarms.", "ADDRESS"
    )
    notification_topic: Annotated[str | Intrinsic, TOPIC] | None = option(
        None, "The topic that is told; else the stack has its own.", "ARN"
    )
    structured_logging: bool = option(False, "Log JSON objects.")
    log_retention_days: Annotated[int | Intrinsic, one_of(*LOG_RETENTION_DAYS)] = option(
        14, "How long logs are kept.", "DAYS"
    )
    metrics_port: Annotated[int | Intrinsic, whole(1, 65_535)] = option(
        9090, "Where each task serves /metrics and /healthz.", "PORT"
    )
    container_insights: bool = option(
        False, "Have CloudWatch watch the containers of the stack's own cluster; it costs extra."
    )
    dashboard: bool = option(True, "Make a dashboard of CloudWatch.")
    alarm_queue_size: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        40, "Alarm when more messages wait.", "N"
    )
    alarm_queue_periods: Annotated[int | Intrinsic, whole(1, 288)] = option(
        24, "Alarm when they wait for so many times five minutes.", "N"
    )
    alarm_worker_errors: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        10, "Alarm when so many workers fail within a minute.", "N"
    )
    alarm_oldest_message: Annotated[int | Intrinsic, whole(60, TWO_WEEKS_S)] = option(
        86_400, "Alarm when a message is older than that.", "S"
    )
    alarm_cpu: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        90, "Alarm when tasks use more of their CPU for ten minutes.", "PERCENT"
    )
    alarm_memory: Annotated[int | Intrinsic, whole(1, 1000)] = option(
        100, "Alarm when tasks use so much of their memory for ten minutes.", "PERCENT"
    )
    dead_letter_alarm: bool = option(True, "Alarm when messages are dead.")
    alarm_dead_letters: Annotated[int | Intrinsic, whole(1, 10**9)] = option(
        1, "Alarm when so many are.", "N"
    )
    alarm_runbook: str = option(
        "docs/how-to/alarms.md", "Where alarms say what to do; #name of the alarm is added.", "URL"
    )

    @property
    def fargate(self) -> bool:
        """Whether tasks run on Fargate, spot or not."""
        return all(name in FARGATE for name in self.capacity)

    @property
    def deduplicates(self) -> bool:
        """Whether queue and topic tell repetitions by their body."""
        return self.fifo and self.content_based_deduplication

    @property
    def own_network(self) -> bool:
        """Whether each task has an address of its own: always on Fargate, else with subnets."""
        return self.fargate or bool(self.subnets)
