"""Adds a CloudWatch dashboard of the queue and the workers, if there are any, and the tasks."""

import json
from typing import Any

from troposphere import Sub, cloudwatch

from watchbot.settings.template import TemplateSettings
from watchbot.template.branches import Branch, branches
from watchbot.template.stack import Stack

_WIDTH, _HEIGHT, _COLUMNS = 12, 6, 2
_OURS = "Watchbot/${AWS::StackName}"
_SQS, _ECS = "AWS/SQS", "AWS/ECS"
_SERVICE = ("ClusterName", "${Cluster}", "ServiceName", "${Service}")


def add_dashboard(stack: Stack) -> None:
    """Adds one dashboard, named after the stack."""
    stack.add(
        "Dashboard",
        cloudwatch.Dashboard,
        DashboardName=Sub("${AWS::StackName}-" + stack.name("") + "-${AWS::Region}"),
        DashboardBody=Sub(
            json.dumps({"widgets": _widgets(stack.options)}),
            **_queue_names(stack),
            Cluster=stack.cluster,
            Service=stack.attribute("Service", "Name"),
            **({"LogGroup": stack.of("LogGroup")} if stack.options.kind == "listen" else {}),
        ),
    )


def _queue_names(stack: Stack) -> dict[str, Any]:
    if stack.options.kind not in ("listen", "record"):
        return {}
    named = {
        branch.what(short): branch.what(plain)
        for branch in branches(stack.options)
        for short, plain in (("Queue", "Queue"), ("Dead", "DeadLetterQueue"))
    }
    return {short: stack.attribute(what, "QueueName") for short, what in named.items()}


def _widgets(options: TemplateSettings) -> list[dict[str, Any]]:
    workers = _workers(options.prefix) if options.kind == "listen" else []
    found = branches(options) if options.kind in ("listen", "record") else []
    queues = [widget for branch in found for widget in _queue(branch)]
    widgets = [*queues, *_tasks(), *workers]
    return [_placed(widget, index) for index, widget in enumerate(widgets)]


def _queue(branch: Branch) -> list[dict[str, Any]]:
    queue, dead = (("QueueName", f"${{{branch.what(short)}}}") for short in ("Queue", "Dead"))
    begin = f"{branch.name}: " if branch.name else ""
    counts = ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")
    return [
        _picture(
            f"{begin}Messages waiting and in flight", *((_SQS, each, *queue) for each in counts)
        ),
        _picture(
            f"{begin}Age of the oldest message (s)", (_SQS, "ApproximateAgeOfOldestMessage", *queue)
        ),
        _picture(
            f"{begin}Messages sent and deleted",
            (_SQS, "NumberOfMessagesSent", *queue),
            (_SQS, "NumberOfMessagesDeleted", *queue),
            statistic="Sum",
        ),
        _picture(f"{begin}Dead messages", (_SQS, counts[0], *dead)),
    ]


def _tasks() -> list[dict[str, Any]]:
    return [
        _picture("Tasks", (_ECS, "CPUUtilization", *_SERVICE), statistic="SampleCount"),
        _picture(
            "CPU and memory of a task (%)",
            (_ECS, "CPUUtilization", *_SERVICE),
            (_ECS, "MemoryUtilization", *_SERVICE),
            statistic="Average",
        ),
    ]


def _workers(prefix: str) -> list[dict[str, Any]]:
    return [
        _quantiles("How long workers ran (s)", f"{prefix}WorkerDuration"),
        _quantiles("From sent to settled (s)", f"{prefix}ResponseDuration"),
        _picture("Workers that failed", (_OURS, f"{prefix}WorkerErrors"), statistic="Sum"),
        _picture("Receives of a message", (_OURS, f"{prefix}MessageReceives")),
        _failures(),
    ]


def _picture(title: str, *metrics: Any, statistic: str = "Maximum") -> dict[str, Any]:
    properties = {
        "title": title,
        "view": "timeSeries",
        "metrics": [list(metric) for metric in metrics],
        "stat": statistic,
        "period": 60,
        "region": "${AWS::Region}",
        "yAxis": {"left": {"min": 0}},
    }
    return {"type": "metric", "properties": properties}


def _quantiles(title: str, metric: str) -> dict[str, Any]:
    return _picture(title, *((_OURS, metric, {"stat": each}) for each in ("p50", "p95", "p99")))


def _failures() -> dict[str, Any]:
    query = (
        'SOURCE \'${LogGroup}\' | filter @message like /\\[failure\\]|"worker_event": ?"failure"/'
        " | fields @timestamp, @message | sort @timestamp desc | limit 50"
    )
    properties = {"title": "Last failures", "query": query, "region": "${AWS::Region}"}
    return {"type": "log", "properties": {**properties, "view": "table"}}


def _placed(widget: dict[str, Any], index: int) -> dict[str, Any]:
    row, column = divmod(index, _COLUMNS)
    return {"x": column * _WIDTH, "y": row * _HEIGHT, "width": _WIDTH, "height": _HEIGHT, **widget}
