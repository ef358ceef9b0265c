"""Adds autoscaling from the backlog, by CloudWatch's metric math, without a Lambda function.

Scaling out: each minute the alarm compares the tasks that the backlog needs with the running tasks.
It cuts the gap at a tenth of `max_size`, and the policy adds the tasks of the highest step below
the gap. Scaling in: after five minutes without a visible message or one in flight, all tasks above
`min_size` stop. docs/explanation/scaling.md has the reasons.
"""

from collections.abc import Sequence
from typing import Any

from troposphere import Sub, applicationautoscaling, cloudwatch

from watchbot.settings.template import TemplateSettings
from watchbot.template.branches import Branch, branches
from watchbot.template.stack import Stack, as_text, given

# The numbers of tasks that a step may add. A policy may have at most twenty steps.
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 80, 120, 180, 260, 380, 500)
LARGEST_SHARE = 0.1  # of max_size, added at once
SETTLE_S = 180  # a task takes this long to start and to be counted
EMPTY_MINUTES = 5  # SQS's counts are a minute old, and miss a message that changes its state

_COUNTED = {"visible": "Visible", "in_flight": "NotVisible"}  # messages of a queue, in SQS's words

# CEIL takes a series, not a number; adding `running` times 0 makes a series.
MOST = f"CEIL(running*0+${{Max}}*{LARGEST_SHARE})"
# Without a task there is no `running`, and FILL needs a series; `visible` always exists.
RUNNING = "SUM([FILL(reported, 0), visible*0])"


def gap(*, fifo: bool) -> str:
    """The expression for the number of further tasks that the backlog needs.

    For a FIFO queue nobody knows the number of message groups, and tasks beyond that number are
    idle. So its backlog asks for more tasks only while every worker has a message. If a worker has
    none, all waiting messages are behind another message of their group.
    """
    if not fifo:
        return "CEIL((visible+in_flight)/${Concurrency})-running"
    return "IF(visible>0 AND in_flight>=running*${Concurrency}, CEIL(visible/${Concurrency}), 0)"


def add_scaling(stack: Stack) -> None:
    """Adds the scaling target, its policies, and the two alarms that drive them."""
    options = stack.options
    stack.add(
        "ScalableTarget",
        applicationautoscaling.ScalableTarget,
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId=Sub(
            "service/${Cluster}/${Service}",
            Cluster=stack.cluster,
            Service=stack.attribute("Service", "Name"),
        ),
        MinCapacity=given(options.min_size),
        MaxCapacity=given(options.max_size),
    )
    _add_policy(stack, "ScaleOut", "ChangeInCapacity", _steps(), SETTLE_S)
    everything = applicationautoscaling.StepAdjustment(
        MetricIntervalUpperBound=0, ScalingAdjustment=given(options.min_size)
    )
    _add_policy(stack, "ScaleIn", "ExactCapacity", [everything], 0)
    _add_backlog_alarm(stack)
    _add_empty_alarm(stack)


def _steps() -> list[Any]:
    bounds = zip(STEPS, (*STEPS[1:], None), strict=True)
    return [
        applicationautoscaling.StepAdjustment(
            # Bounds count from the alarm's threshold, which is one task.
            MetricIntervalLowerBound=step - 1,
            ScalingAdjustment=step,
            **({"MetricIntervalUpperBound": beyond - 1} if beyond else {}),
        )
        for step, beyond in bounds
    ]


def _add_policy(
    stack: Stack, what: str, adjustment: str, steps: list[Any], cooldown_s: int
) -> None:
    stack.add(
        what,
        applicationautoscaling.ScalingPolicy,
        PolicyName=Sub("${AWS::StackName}-" + stack.name(what)),
        PolicyType="StepScaling",
        ScalingTargetId=stack.of("ScalableTarget"),
        StepScalingPolicyConfiguration=applicationautoscaling.StepScalingPolicyConfiguration(
            AdjustmentType=adjustment,
            Cooldown=cooldown_s,
            MetricAggregationType="Maximum",
            StepAdjustments=steps,
        ),
    )


def _add_backlog_alarm(stack: Stack) -> None:
    options = stack.options
    wanted = Sub(gap(fifo=options.fifo), Concurrency=_messages_each(options))
    at_once = Sub(MOST, Max=given(options.max_size))
    stack.add(
        "BacklogAlarm",
        cloudwatch.Alarm,
        AlarmDescription="Scales out: the backlog asks for more tasks. No reason to act.",
        AlarmActions=[stack.of("ScaleOut")],
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=1,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        Metrics=[
            *_queue_metrics(stack, weighted=True),
            _reported(stack),
            _expression("running", RUNNING),  # a sample count: each task reports once a minute
            _expression("gap", wanted),
            _expression("most", at_once),
            _expression("add", "IF(gap>most, most, gap)", returned=True),
        ],
    )


def _messages_each(options: TemplateSettings) -> Any:
    """How many messages a task works on at once; of a FIFO queue, how many groups."""
    workers, size = options.concurrency, options.batch_size
    if options.fifo or size == 1:
        return given(workers)
    if isinstance(workers, int) and isinstance(size, int):
        return workers * size
    return Sub("(${Workers}*${Size})", Workers=as_text(workers), Size=as_text(size))


def _add_empty_alarm(stack: Stack) -> None:
    stack.add(
        "EmptyAlarm",
        cloudwatch.Alarm,
        AlarmDescription="Scales in: there is nothing to do. No reason to act.",
        AlarmActions=[stack.of("ScaleIn")],
        ComparisonOperator="LessThanOrEqualToThreshold",
        Threshold=0,
        EvaluationPeriods=EMPTY_MINUTES,
        TreatMissingData="notBreaching",
        Metrics=[
            *_queue_metrics(stack, weighted=False),
            _expression("unfinished", "visible+in_flight", returned=True),
        ],
    )


def _queue_metrics(stack: Stack, *, weighted: bool) -> list[Any]:
    """The metrics `visible` and `in_flight`: those of the only queue, or sums over several."""
    found = branches(stack.options)
    if len(found) == 1:
        return [_count(stack, found[0], name, name) for name in _COUNTED]
    counts = [
        _count(stack, branch, name, f"{name}{index}")
        for index, branch in enumerate(found)
        for name in _COUNTED
    ]
    weights = [branch.weight if weighted else 1 for branch in found]
    # Whether all workers of a FIFO queue are busy is a matter of messages, whatever they weigh.
    even = [1 for _ in found]
    in_flight = even if stack.options.fifo else weights
    sums = [("visible", weights), ("in_flight", in_flight)]
    return [*counts, *(_expression(name, total(name, parts)) for name, parts in sums)]


def total(name: str, weights: Sequence[int]) -> str:
    """The sum of a count over several queues, in messages of the heaviest one.

    A message of a queue with a third of the largest weight asks for a third of a worker. A queue
    that nobody has used for six hours has no metrics, so each is filled, and SUM passes over those
    without any value.
    """
    parts = (f"FILL({name}{index}, 0)*{weight}" for index, weight in enumerate(weights))
    return f"SUM([{', '.join(parts)}])/{max(weights)}"


def _count(stack: Stack, branch: Branch, what: str, name: str) -> Any:
    counted = cloudwatch.Metric(
        Namespace="AWS/SQS",
        MetricName=f"ApproximateNumberOfMessages{_COUNTED[what]}",
        Dimensions=queue_dimensions(stack, branch.what("Queue")),
    )
    return _metric(name, counted, "Maximum")


def _reported(stack: Stack) -> Any:
    reported = cloudwatch.Metric(
        Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=service_dimensions(stack)
    )
    return _metric("reported", reported, "SampleCount")


def _metric(name: str, metric: Any, statistic: str) -> Any:
    return cloudwatch.MetricDataQuery(
        Id=name,
        ReturnData=False,
        MetricStat=cloudwatch.MetricStat(Metric=metric, Period=60, Stat=statistic),
    )


def _expression(name: str, expression: Any, *, returned: bool = False) -> Any:
    return cloudwatch.MetricDataQuery(Id=name, Expression=expression, ReturnData=returned)


def queue_dimensions(stack: Stack, what: str) -> list[Any]:
    """The dimensions of a queue's metrics."""
    name = stack.attribute(what, "QueueName")
    return [cloudwatch.MetricDimension(Name="QueueName", Value=name)]


def service_dimensions(stack: Stack) -> list[Any]:
    """The dimensions of the service's metrics."""
    return [
        cloudwatch.MetricDimension(Name="ClusterName", Value=stack.cluster),
        cloudwatch.MetricDimension(Name="ServiceName", Value=stack.attribute("Service", "Name")),
    ]
