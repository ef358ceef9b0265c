"""Refuses options that exclude each other. Each rule yields a sentence for the user."""

import difflib
from collections.abc import Callable, Iterator

from watchbot.errors import SettingError
from watchbot.settings.base import describe, flag
from watchbot.settings.runs import MOST_FIFO
from watchbot.settings.template import FARGATE, TemplateSettings
from watchbot.template.ecs import MOST_STOP_S, STOP_MARGIN_S

Broken = Iterator[tuple[str, str]]  # the option, and the error
Rule = Callable[[TemplateSettings], Broken]

MOST_QUEUES = 4  # with two metrics each, and one of the service, of the ten of an alarm
GIB = 1024
FARGATE_MEMORY = {  # MiB by CPU units: minimum, maximum, step
    256: (512, 2 * GIB, 512),
    512: (1 * GIB, 4 * GIB, 1 * GIB),
    1024: (2 * GIB, 8 * GIB, 1 * GIB),
    2048: (4 * GIB, 16 * GIB, 1 * GIB),
    4096: (8 * GIB, 30 * GIB, 1 * GIB),
    8192: (16 * GIB, 60 * GIB, 4 * GIB),
    16384: (32 * GIB, 120 * GIB, 8 * GIB),
}


_LISTEN = (
    *("command", "max_size", "min_size", "concurrency", "max_job_duration"),
    *("writable_filesystem", "no_stdin"),
    *("batch_size", "batch_window", "warm", "handler", "recycle_after", "recycle_memory"),
    *(
        "queues",
        "fifo",
        "fifo_topic",
        "content_based_deduplication",
        "user",
        "webhook",
        "webhook_key",
        "webhook_access_log",
    ),
    *(
        "reduce",
        "checkpoints",
        "failures",
        "alarm_worker_errors",
        "payload_buckets",
        "keep_payloads",
    ),
)
_QUEUE = (
    *("message_retention", "visibility_timeout", "dead_letter_threshold", "alarm_queue_size"),
    *("alarm_queue_periods", "alarm_oldest_message", "dead_letter_alarm", "alarm_dead_letters"),
)
_SCHEDULE = (
    *("task_definitions", "task_roles", "destinations", "trigger_queues"),
    *("database_table", "function_bucket", "function_key"),
)
_KINDS: dict[tuple[str, ...], tuple[str, ...]] = {  # the kinds that take an option, if not all do
    ("listen",): _LISTEN,
    ("listen", "record"): _QUEUE,
    ("record",): ("reconcile", "retention_tasks"),
    ("record", "schedule"): ("database", "retention"),
    ("schedule",): _SCHEDULE,
    ("schedule", "console"): ("token", "port"),
    ("console",): ("queue_prefix", "failures_table"),
}
KINDS_OF = {name: kinds for kinds, names in _KINDS.items() for name in names}


def kind(options: TemplateSettings) -> Broken:
    for name, kinds in KINDS_OF.items():
        default = TemplateSettings.model_fields[name].default
        if options.kind not in kinds and getattr(options, name) != default:
            yield name, f"is for {flag('kind')} {' or '.join(kinds)}; leave it out"
    if options.kind == "listen" and options.command is None and options.handler is None:
        yield "command", "is missing; name what runs for each message"
    if options.kind == "console" and options.queue_prefix is None:
        yield "queue_prefix", "is missing; name how the queues begin that the console shows"


def image(options: TemplateSettings) -> Broken:
    if options.image is None and options.service_version is None:
        yield "image", f"is missing; name it, or a tag in ECR with {flag('service_version')}"


def sizes(options: TemplateSettings) -> Broken:
    least, most = options.min_size, options.max_size
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield "min_size", f"must be at most {flag('max_size')} {most}, not {least}"


def capacity(options: TemplateSettings) -> Broken:
    names = set(options.capacity)
    for name in sorted(names - {"EC2", *FARGATE}):
        for meant in difflib.get_close_matches(name.upper(), FARGATE, 1, 0.85):
            yield "capacity", f"there is no {name}; did you mean {meant}?"
            return
    if len(names) > 1 and "EC2" in names:
        yield "capacity", "EC2 stands alone; name the capacity providers of the cluster instead"
    elif names & set(FARGATE) and not options.fargate:
        others = ", ".join(sorted(names - set(FARGATE)))
        yield "capacity", f"ECS does not mix FARGATE or FARGATE_SPOT with {others}; use one kind"
    if not options.fargate and options.cluster is None:
        yield (
            "cluster",
            f"is missing: {flag('capacity')} {' '.join(sorted(names))} belongs to a cluster of"
            " yours; name that cluster, or use FARGATE or FARGATE_SPOT",
        )


def fargate_size(options: TemplateSettings) -> Broken:
    cpu, memory = options.cpu, options.memory
    if not options.fargate or not isinstance(cpu, int):
        return
    if cpu not in FARGATE_MEMORY:
        allowed = ", ".join(str(each) for each in FARGATE_MEMORY)
        yield "cpu", f"must be one of {allowed} on Fargate, not {cpu}"
        return
    least, most, step = FARGATE_MEMORY[cpu]
    # The smallest CPU allows 512, 1024 and 2048, but not 1536.
    sizes = [512, 1024, 2048] if cpu == 256 else range(least, most + 1, step)
    if isinstance(memory, int) and memory not in sizes:
        few = ", ".join(str(each) for each in sizes)
        allowed = few if len(sizes) <= 5 else f"{least} to {most} in steps of {step}"
        yield "memory", f"must be {allowed} for {flag('cpu')} {cpu} on Fargate, not {memory}"


def only_ec2(options: TemplateSettings) -> Broken:
    if not options.fargate:
        return
    for name in ("privileged", "soft_memory", "placement_constraints", "placement_strategies"):
        if getattr(options, name):
            yield name, f"is for EC2; leave it out, or set {flag('capacity')} EC2"
    if any(":" in mount for mount in options.mounts):
        yield "mounts", "of the host are for EC2; name only a path in the container"
    drain_s = options.drain_timeout
    if isinstance(drain_s, int) and drain_s > MOST_STOP_S - STOP_MARGIN_S:
        yield (
            "drain_timeout",
            f"must be at most {MOST_STOP_S - STOP_MARGIN_S}: Fargate kills after {MOST_STOP_S} s",
        )


def only_fargate(options: TemplateSettings) -> Broken:
    if not options.fargate and options.ephemeral_storage_gib is not None:
        yield "ephemeral_storage_gib", "is for Fargate; on EC2 the disk is the machine's"
    if not options.fargate and options.public_ip != "DISABLED":
        yield "public_ip", "is for Fargate; on EC2 the machine has the address"


def soft_memory(options: TemplateSettings) -> Broken:
    soft, hard = options.soft_memory, options.memory
    if isinstance(soft, int) and isinstance(hard, int) and soft > hard:
        yield "soft_memory", f"must be at most {flag('memory')} {hard}, not {soft}"


def fifo(options: TemplateSettings) -> Broken:
    if options.fifo and options.webhook:
        yield "webhook", f"has no message groups, as a FIFO queue needs; leave out {flag('fifo')}"
    if options.fifo_topic and not options.fifo:
        yield "fifo_topic", f"is for FIFO queues; set {flag('fifo')}, too"


def queues(options: TemplateSettings) -> Broken:
    if len(options.queues) > MOST_QUEUES:
        yield (
            "queues",
            f"must be at most {MOST_QUEUES}, not {len(options.queues)}: an alarm that scales the "
            "service reads two metrics of each, and CloudWatch lets it read ten",
        )


def runs(options: TemplateSettings) -> Broken:
    warm, size = options.warm != "off", options.batch_size
    if warm and options.writable_filesystem:
        yield "warm", f"keeps workers, and {flag('writable_filesystem')} ends them; leave one out"
    takes_lines = options.warm == "lines" or (not warm and size != 1)
    if options.no_stdin and takes_lines:
        yield "no_stdin", f"leaves no standard input, and {flag('batch_size')} needs it for lines"
    if options.fifo and isinstance(size, int) and size > MOST_FIFO:
        yield "batch_size", f"must be at most {MOST_FIFO} with {flag('fifo')}, not {size}"
    if options.batch_window and (options.fifo or size == 1):
        without = "and a FIFO queue has none" if options.fifo else f"set {flag('batch_size')}, too"
        yield "batch_window", f"is for batches of a standard queue: {without}"
    for name in ("recycle_after", "recycle_memory"):
        if getattr(options, name) and not warm:
            yield name, f"replaces workers that stay; set {flag('warm')}, too"


def webhook(options: TemplateSettings) -> Broken:
    if options.webhook_key and not options.webhook:
        yield "webhook_key", f"is the key of a webhook; set {flag('webhook')}, too"
    if options.webhook_access_log and not options.webhook:
        yield "webhook_access_log", f"is the log of a webhook; set {flag('webhook')}, too"


def payloads(options: TemplateSettings) -> Broken:
    if options.keep_payloads and not options.payload_buckets:
        yield "keep_payloads", f"keeps what is fetched; set {flag('payload_buckets')}, too"


def function_of_lambda(options: TemplateSettings) -> Broken:
    if options.handler is not None and options.warm != "lambda":
        yield "handler", f"is a function of AWS Lambda; set {flag('warm')} lambda, too"


def insights(options: TemplateSettings) -> Broken:
    if options.container_insights and options.cluster is not None:
        yield "container_insights", f"is for the stack's own cluster; leave out {flag('cluster')}"


def notifications(options: TemplateSettings) -> Broken:
    if options.notification_email is not None and options.notification_topic is not None:
        yield (
            "notification_email",
            f"and {flag('notification_topic')} exclude each other: subscribe the address to it",
        )


def database(options: TemplateSettings) -> Broken:
    if options.database_table and options.database is not None:
        yield "database", f"and {flag('database_table')} exclude each other: one of them is enough"


def function(options: TemplateSettings) -> Broken:
    for name, other in (
        ("function_bucket", "function_key"),
        ("function_key", "function_bucket"),
    ):
        if getattr(options, name) is None and getattr(options, other) is not None:
            yield name, f"is missing; {flag(other)} alone does not say where the zip is"


RULES: tuple[Rule, ...] = (
    kind,
    image,
    sizes,
    capacity,
    fargate_size,
    only_ec2,
    only_fargate,
    soft_memory,
    fifo,
    queues,
    runs,
    function_of_lambda,
    webhook,
    payloads,
    insights,
    notifications,
    database,
    function,
)


def check(options: TemplateSettings) -> None:
    """Raises `SettingError` for the first broken rule."""
    for rule in RULES:
        for name, problem in rule(options):
            raise SettingError(describe(name), problem)
