"""Sets the environment variables of the program in the container."""

from typing import Any

from troposphere import Join, Ref, Sub

from watchbot.settings.base import variables as names_of
from watchbot.settings.template import TemplateSettings
from watchbot.template.branches import branches, topics
from watchbot.template.stack import Stack, as_text, given


def variables(stack: Stack) -> dict[str, Any]:
    """The plain variables by name; the user's own come last."""
    options = stack.options
    consumer = {
        "QueueUrl": _queue_urls(stack),
        _variable("visibility_timeout"): as_text(options.visibility_timeout),
    }
    drains = options.kind != "console"
    shared = {
        **(consumer if options.kind in ("listen", "record") else {}),
        **({_variable("drain_timeout"): as_text(options.drain_timeout)} if drains else {}),
        _variable("metrics_port"): as_text(options.metrics_port),
    }
    if options.structured_logging:
        shared["structuredLogging"] = "true"
    own = _OWN[options.kind]
    return {**shared, **own(stack), **{name: given(value) for name, value in options.env.items()}}


def _queue_urls(stack: Stack) -> Any:
    found = branches(stack.options)
    if len(found) == 1:
        return stack.of(found[0].what("Queue"))
    named = {branch.what("Queue"): stack.of(branch.what("Queue")) for branch in found}
    words = (f"${{{branch.what('Queue')}}}={branch.weight}" for branch in found)
    return Sub(" ".join(words), **named)


def secret_variables(options: TemplateSettings) -> dict[str, Any]:
    """The places of secrets by variable; ECS reads them when a task starts."""
    needed = {
        "record": ("database",),
        "schedule": ("database", "token"),
        "console": ("token",),
    }.get(options.kind, ())
    named = {_variable(name): getattr(options, name) for name in needed}
    return {**{name: value for name, value in named.items() if value}, **options.secrets}


def _of_listen(stack: Stack) -> dict[str, Any]:
    # Workers read these variables, too, so they keep the names of ecs-watchbot.
    options = stack.options
    found = {
        "NotificationTopic": stack.notified,
        "LogGroup": stack.of("LogGroup"),
        "StackName": Ref("AWS::StackName"),
        "maxJobDuration": as_text(options.max_job_duration),
        _variable("concurrency"): as_text(options.concurrency),
    }
    found.update(_of_runs(options))
    if fed := topics(stack):
        found["WorkTopic"] = fed[0]
    found.update(_tables(stack))
    emptied = [mount for mount in options.mounts if ":" not in mount]
    if emptied:
        found["Volumes"] = ",".join(emptied)
    if options.writable_filesystem:
        found["writableFilesystem"] = "true"
    if options.no_stdin:
        found[_variable("no_stdin")] = "true"
    if options.payload_buckets:
        found[_variable("payload_buckets")] = ",".join(options.payload_buckets)
    if options.keep_payloads:
        found[_variable("keep_payloads")] = "true"
    return {**found, **(_of_function(stack) if options.warm == "lambda" else {})}


def _tables(stack: Stack) -> dict[str, Any]:
    found = {}
    if stack.has("ProgressTable"):
        found["ProgressTable"] = stack.of("ProgressTable")
    if stack.has("CheckpointsTable"):
        table = stack.of("CheckpointsTable")
        found[_variable("checkpoints")] = Sub("dynamodb://${Table}", Table=table)
    if stack.has("FailuresTable"):
        table = stack.of("FailuresTable")
        found[_variable("failures")] = Sub("dynamodb://${Table}", Table=table)
    return found


def _of_runs(options: TemplateSettings) -> dict[str, Any]:
    """What is not as it is without a word: a stack need not repeat defaults."""
    names = ("batch_size", "batch_window", "warm", "recycle_after", "recycle_memory")
    defaults = {name: TemplateSettings.model_fields[name].default for name in names}
    return {
        _variable(name): as_text(getattr(options, name))
        for name in names
        if getattr(options, name) != defaults[name]
    }


def _of_function(stack: Stack) -> dict[str, Any]:
    options = stack.options
    named = {} if options.handler is None else {_variable("handler"): given(options.handler)}
    return {
        **named,
        "AWS_LAMBDA_FUNCTION_NAME": options.service,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": as_text(options.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": stack.of("LogGroup"),
    }


def _of_record(stack: Stack) -> dict[str, Any]:
    found = _retention(stack.options)
    if stack.options.retention_tasks is not None:
        found[_variable("retention_tasks")] = as_text(stack.options.retention_tasks)
    if stack.options.reconcile:
        found[_variable("reconcile")] = Join(",", given(stack.options.reconcile))
    return found


def _of_schedule(stack: Stack) -> dict[str, Any]:
    found = {
        "AWS_REGION": Ref("AWS::Region"),  # ECS on EC2 does not set it
        _variable("cluster"): stack.cluster,
        _variable("host"): "0.0.0.0",  # noqa: S104 - in the container, behind a token
        _variable("port"): as_text(stack.options.port),
        _variable("notification_topic"): stack.notified,
        **_retention(stack.options),
    }
    if stack.has("DatabaseTable"):
        table = stack.of("DatabaseTable")
        found[_variable("database")] = Sub("dynamodb://${Table}", Table=table)
    if stack.has("StacksTable"):
        found[_variable("stacks_table")] = stack.of("StacksTable")
    return found


def _of_console(stack: Stack) -> dict[str, Any]:
    options = stack.options
    found = {
        "AWS_REGION": Ref("AWS::Region"),  # ECS on EC2 does not set it
        _variable("host"): "0.0.0.0",  # noqa: S104 - in the container, behind a token
        _variable("port"): as_text(options.port),
        _variable("queue_prefix"): given(options.queue_prefix),
    }
    if options.failures_table:
        table = given(options.failures_table)
        found[_variable("failures")] = Sub("dynamodb://${Table}", Table=table)
    return found


_OWN = {
    "listen": _of_listen,
    "record": _of_record,
    "schedule": _of_schedule,
    "console": _of_console,
}


def _retention(options: TemplateSettings) -> dict[str, Any]:
    if options.retention is None:
        return {}
    return {_variable("retention"): as_text(options.retention)}


def _variable(name: str) -> str:
    return names_of(name)[0]
