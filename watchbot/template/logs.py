"""Adds the log group, and the metrics that CloudWatch reads from its lines.

CloudWatch reads each metric from text lines and from JSON lines, so that `structured_logging` may
change at any time. A text line has its figures at the end, each after its name: `duration_s 0.3
response_s 1.2 receives 1`. A metric filter reads a number only if it stands alone.
"""

from dataclasses import dataclass
from typing import Any

from troposphere import Sub, logs

from watchbot.outcome import FAILURE
from watchbot.template.stack import Stack, given

# A worker's result line has all of these figures; other lines have none.
IN_JSON = "{ $.duration_s = * && $.response_s = * && $.receives = * }"
IN_TEXT = "[..., a=duration_s, duration_s, b=response_s, response_s, c=receives, receives]"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """A filter that reads a metric from one form of line."""

    metric: str
    form: str
    pattern: str
    value: str
    unit: str


def _readings(metric: str, figure: str, unit: str) -> tuple[LineFilter, LineFilter]:
    return (
        LineFilter(metric, "Plain", IN_TEXT, f"${figure}", unit),
        LineFilter(metric, "Json", IN_JSON, f"$.{figure}", unit),
    )


READINGS = (
    LineFilter("WorkerErrors", "Plain", f'"[watcher]" "[{FAILURE}]"', "1", "Count"),
    LineFilter("WorkerErrors", "Json", f'{{ $.worker_event = "{FAILURE}" }}', "1", "Count"),
    *_readings("WorkerDuration", "duration_s", "Seconds"),
    *_readings("ResponseDuration", "response_s", "Seconds"),
    *_readings("MessageReceives", "receives", "Count"),
)


def namespace() -> Any:
    """The CloudWatch namespace of the stack's metrics."""
    return Sub("Watchbot/${AWS::StackName}")


def add_log_group(stack: Stack) -> None:
    """Adds the log group."""
    options = stack.options
    stack.add(
        "LogGroup",
        logs.LogGroup,
        RetentionInDays=given(options.log_retention_days),
        KmsKeyId=given(options.kms_key),
    )
    stack.output("LogGroup", stack.of("LogGroup"), "Where tasks log", ref="log_group")


def add_log_metrics(stack: Stack) -> None:
    """Adds the filters that make metrics of a watcher's lines."""
    for reading in READINGS:
        _add_filter(stack, reading)


def _add_filter(stack: Stack, reading: LineFilter) -> None:
    stack.add(
        f"{reading.metric}{reading.form}",
        logs.MetricFilter,
        LogGroupName=stack.of("LogGroup"),
        FilterPattern=reading.pattern,
        MetricTransformations=[
            logs.MetricTransformation(
                MetricName=stack.name(reading.metric),
                MetricNamespace=namespace(),
                MetricValue=reading.value,
                Unit=reading.unit,
            )
        ],
    )
