"""The log group, and the metrics that CloudWatch reads from its lines.

Each is read from text lines and from JSON lines, so that `structured_logging` may change at any
time. Text has its figures at the end, each after its name: `duration_s 0.3 response_s 1.2
receives 1`. A filter of CloudWatch reads a number only where it stands alone.
"""

from dataclasses import dataclass
from typing import Any

from troposphere import Sub, logs

from watchbot.outcome import FAILURE
from watchbot.template.stack import Stack, given

# A line has all of them, or is another line.
IN_JSON = "{ $.duration_s = * && $.response_s = * && $.receives = * }"
IN_TEXT = "[..., a=duration_s, duration_s, b=response_s, response_s, c=receives, receives]"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """How a metric is read from one form of line."""

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
    """Where the metrics of the stack are in CloudWatch."""
    return Sub("Watchbot/${AWS::StackName}")


def add_log_group(stack: Stack) -> None:
    """The log group."""
    options = stack.options
    stack.add(
        "LogGroup",
        logs.LogGroup,
        RetentionInDays=given(options.log_retention_days),
        KmsKeyId=given(options.kms_key),
    )
    stack.output("LogGroup", stack.of("LogGroup"), "Where tasks log", ref="log_group")


def add_log_metrics(stack: Stack) -> None:
    """The filters that make metrics of a watcher's lines."""
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
