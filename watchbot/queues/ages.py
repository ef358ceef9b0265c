"""Finds out how old the oldest message of each queue is, which SQS itself does not answer.

CloudWatch knows it of all queues in use, some minutes late. A watcher knows it of its last receive.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watchbot.aws import open_client
from watchbot.errors import AwsError
from watchbot.metrics import Samples
from watchbot.queues.state import QueueState
from watchbot.settings.base import AwsEndpoint
from watchbot.watchers import NoWatcher, samples_at

METRIC = "watchbot_queue_oldest_message_age_seconds"
MOST_QUERIES = 500  # of a call of GetMetricData
LOOKED_BACK = timedelta(minutes=10)
AT_ONCE = 16  # watchers


async def with_cloudwatch(states: Sequence[QueueState], aws: AwsEndpoint) -> list[QueueState]:
    """The states with the ages that CloudWatch knows. Raises no `AwsError`."""
    by_endpoint: dict[AwsEndpoint, list[QueueState]] = {}
    for state in states:
        beside = aws.beside(state.url)
        if beside is not None and state.error is None:
            by_endpoint.setdefault(beside, []).append(state)
    known: dict[str, QueueState] = {}
    for beside, some in by_endpoint.items():
        known |= {state.url: state for state in await _asked(some, beside)}
    return [known.get(state.url, state) for state in states]


async def _asked(states: Sequence[QueueState], aws: AwsEndpoint) -> list[QueueState]:
    try:
        async with open_client("cloudwatch", aws) as client:
            values: dict[str, float] = {}
            for start in range(0, len(states), MOST_QUERIES):
                some = states[start : start + MOST_QUERIES]
                answer = await client.call("get_metric_data", **_question(some))
                values |= _last_values(answer, some)
    except AwsError as error:
        why = f"{error.operation}: {error.code}"
        return [replace(state, unknown={**state.unknown, "oldest": why}) for state in states]
    return [
        replace(state, oldest_s=values[state.url], oldest_from="cloudwatch")
        if state.url in values
        else state
        for state in states
    ]


def _question(states: Sequence[QueueState]) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "StartTime": now - LOOKED_BACK,
        "EndTime": now,
        "ScanBy": "TimestampDescending",
        "MetricDataQueries": [
            {
                "Id": f"q{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": state.name}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for index, state in enumerate(states)
        ],
    }


def _last_values(
    answer: Mapping[str, Sequence[Mapping[str, object]]], states: Sequence[QueueState]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for result in answer.get("MetricDataResults", ()):
        values = result.get("Values")
        if isinstance(values, list) and values:
            found[states[int(str(result["Id"])[1:])].url] = float(values[0])
    return found


def with_watchers(
    states: Sequence[QueueState], urls: Sequence[str], token: str | None = None
) -> tuple[list[QueueState], dict[str, str]]:
    """The states with the ages that watchers know, where CloudWatch knows none.

    Also returns the reason for each URL at which no watcher answers.
    """
    away: dict[str, str] = {}
    ages: dict[str, float] = {}
    for url, said in zip(urls, _read(urls, token), strict=True):
        if isinstance(said, NoWatcher):
            away[url] = str(said)
            continue
        for queue, age_s in _ages(said).items():
            ages[queue] = max(age_s, ages.get(queue, 0.0))
    return [_aged(state, ages) for state in states], away


def _read(urls: Sequence[str], token: str | None) -> list[Samples | NoWatcher]:
    def one(url: str) -> Samples | NoWatcher:
        try:
            return samples_at(url, token)
        except NoWatcher as away:
            return away

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(one, urls))


def _ages(samples: Samples) -> dict[str, float]:
    """The ages by queue; a receive that brought nothing tells none."""
    return {
        dict(labels)["queue"]: age_s
        for (name, labels), age_s in samples.items()
        if name == METRIC and age_s > 0 and "queue" in dict(labels)
    }


def _aged(state: QueueState, ages: Mapping[str, float]) -> QueueState:
    if state.error or state.oldest_s is not None or state.name not in ages:
        return state
    unknown = {what: why for what, why in state.unknown.items() if what != "oldest"}
    return replace(state, oldest_s=ages[state.name], oldest_from="watcher", unknown=unknown)
