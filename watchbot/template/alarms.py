"""Adds the alarms that call a person, each with a link to its runbook."""

from dataclasses import dataclass
from typing import Any

from troposphere import cloudwatch

from watchbot.settings.template import TemplateSettings
from watchbot.template.branches import ONLY, Branch, branches
from watchbot.template.logs import namespace
from watchbot.template.scaling import queue_dimensions, service_dimensions
from watchbot.template.stack import Stack, given

ABOVE, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
BELOW = "LessThanThreshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An alarm: its metric and its threshold."""

    name: str
    text: str
    home: str  # the namespace; empty for our own metrics
    metric: str
    of: str = ""  # the queue's resource
    branch: Branch = ONLY  # of several queues, the one that is watched
    statistic: str = "Maximum"
    compared: str = AT_LEAST
    threshold: Any
    period_s: int = 60
    periods: Any = 1
    without_data: str = "notBreaching"

    @property
    def said(self) -> str:
        """The text, with the name of the queue where there are several."""
        return f"Queue {self.branch.name}: {self.text}" if self.branch.name else self.text


def watches(options: TemplateSettings) -> list[Watch]:
    """Yields every alarm for these options."""
    if options.kind == "schedule":
        return [_NO_TASKS, *_of_tasks(options)]
    if options.kind == "console":  # no work waits for it
        return _of_tasks(options)
    queues = [watch for branch in branches(options) for watch in _of_queue(options, branch)]
    workers = [_worker_errors(options)] if options.kind == "listen" else []
    return [*queues, *workers, *_of_tasks(options)]


_NO_TASKS = Watch(
    name="NoTasks",
    text="No task has run for ten minutes: no job starts.",
    home="AWS/ECS",
    metric="CPUUtilization",  # each task reports once a minute
    statistic="SampleCount",
    compared=BELOW,
    threshold=1,
    periods=10,
    without_data="breaching",
)


def _worker_errors(options: TemplateSettings) -> Watch:
    return Watch(
        name="WorkerErrors",
        text="Workers fail.",
        home="",
        metric="WorkerErrors",
        statistic="Sum",
        threshold=options.alarm_worker_errors,
    )


def _of_queue(options: TemplateSettings, branch: Branch) -> list[Watch]:
    dead_letters = Watch(
        name="DeadLetters",
        text="Messages are in the dead-letter queue: they failed too often.",
        home="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        of="DeadLetterQueue",
        branch=branch,
        threshold=options.alarm_dead_letters,
    )
    return [
        Watch(
            name="QueueSize",
            text="Many messages have waited for long.",
            home="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            of="Queue",
            branch=branch,
            statistic="Average",
            compared=ABOVE,
            threshold=options.alarm_queue_size,
            period_s=300,
            periods=options.alarm_queue_periods,
        ),
        Watch(
            name="OldestMessage",
            text="A message has waited too long.",
            home="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            of="Queue",
            branch=branch,
            compared=ABOVE,
            threshold=options.alarm_oldest_message,
            period_s=300,
        ),
        *([dead_letters] if options.dead_letter_alarm else []),
    ]


def _of_tasks(options: TemplateSettings) -> list[Watch]:
    return [
        Watch(
            name="Cpu",
            text="Tasks have used nearly all of their CPU for ten minutes.",
            home="AWS/ECS",
            metric="CPUUtilization",
            statistic="Average",
            compared=ABOVE,
            threshold=options.alarm_cpu,
            periods=10,
        ),
        Watch(
            name="Memory",
            text="Tasks have used all of their memory for ten minutes.",
            home="AWS/ECS",
            metric="MemoryUtilization",
            statistic="Average",
            threshold=options.alarm_memory,
            periods=10,
        ),
    ]


def add_alarms(stack: Stack) -> None:
    """Adds all alarms; each publishes to the notification topic when it begins and ends."""
    runbook = stack.options.alarm_runbook
    for watch in watches(stack.options):
        stack.add(
            watch.branch.what(f"{watch.name}Alarm"),
            cloudwatch.Alarm,
            AlarmDescription=f"{watch.said} What to do: {runbook}#{watch.name.lower()}",
            AlarmActions=[stack.notified],
            OKActions=[stack.notified],
            Namespace=watch.home or namespace(),
            MetricName=watch.metric if watch.home else stack.name(watch.metric),
            Dimensions=_dimensions(stack, watch),
            Statistic=watch.statistic,
            Period=watch.period_s,
            EvaluationPeriods=given(watch.periods),
            Threshold=given(watch.threshold),
            ComparisonOperator=watch.compared,
            TreatMissingData=watch.without_data,
        )


def _dimensions(stack: Stack, watch: Watch) -> list[Any] | None:
    if watch.of:
        return queue_dimensions(stack, watch.branch.what(watch.of))
    return service_dimensions(stack) if watch.home else None
