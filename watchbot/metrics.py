"""Defines every metric by name. No other module names a metric or imports prometheus_client.

`CATALOGUE` has an entry for each metric. The reference page, the dashboards and the alerts are also
made from these entries, so that they name only metrics that exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from prometheus_client import (
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from watchbot import __version__, outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Workers run for milliseconds or for hours; an answer of AWS takes milliseconds to a long poll.
_WORK_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 10800, 43200)
_CALL_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 21)
_MEMORY_BUCKETS_BYTES = tuple(2**power for power in range(22, 38))  # 4 MiB to 128 GiB
_RECEIVES_BUCKETS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 50, 100)

MOST_SCHEDULES = 500  # jobs with metrics of their own: each job has thirty series
OTHER_SCHEDULES = "*"  # no job has this name
_schedules = set[str]()

_CALLS = {
    "sqs": (
        "receive_message",
        "delete_message_batch",
        "change_message_visibility_batch",
        "get_queue_attributes",
        "list_queue_tags",
    ),
    "sns": ("publish",),
    "s3": ("get_object", "delete_object"),
}
_FAULTS = (
    "AwsError CredentialsAway Denied GaveUp NotConfigured NotFound Rejected SignInNeeded Throttled "
    "Unreachable"
).split()
RESULTS = ("ok", *_FAULTS, "error")  # "error": the call was cancelled

Kind = Literal["counter", "gauge", "histogram"]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]  # by name and labels
CATALOGUE: list["Metric"] = []

# Else each counter has a second series, with its time of creation, which nobody needs.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The facts of one metric. `name` is the scraped name; a histogram has buckets."""

    name: str
    kind: Kind
    text: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)  # with all their values


def _enter(kind: Kind, name: str, text: str, labels: Mapping[str, Sequence[str]]) -> list[str]:
    CATALOGUE.append(Metric(name=name, kind=kind, text=text, labels=labels))
    return list(labels)


def _counter(
    name: str,
    text: str,
    series: Iterable[Sequence[str]] | None = None,
    **labels: Sequence[str],
) -> Counter:
    counter = Counter(name, text, _enter("counter", name, text, labels))
    # Every series starts at 0 before the first event, which `rate()` would miss otherwise.
    for values in series or (product(*labels.values()) if labels else ()):
        counter.labels(*values)
    return counter


def _gauge(name: str, text: str, **labels: Sequence[str]) -> Gauge:
    return Gauge(name, text, _enter("gauge", name, text, labels))


def _histogram(
    name: str, text: str, buckets: Sequence[float], **labels: Sequence[str]
) -> Histogram:
    return Histogram(name, text, _enter("histogram", name, text, labels), buckets=buckets)


_received = _counter("watchbot_messages_received_total", "Messages taken from the queue.", queue=())
_settled = _counter(
    "watchbot_messages_settled_total",
    "Messages let go of, by outcome.",
    outcome=outcome.NAMES,
    queue=(),
)
_in_hand = _gauge(
    "watchbot_messages_in_hand",
    "Messages received and not settled: received - settled, always.",
    queue=(),
)
worker_duration = _histogram(
    "watchbot_worker_duration_seconds", "How long a worker ran.", _WORK_BUCKETS_S, queue=()
)
worker_cpu = _histogram(
    "watchbot_worker_cpu_seconds",
    "CPU time of a run, with that of the children it has waited for.",
    _WORK_BUCKETS_S,
    queue=(),
)
worker_memory = _histogram(
    "watchbot_worker_memory_bytes",
    "Peak memory of a run's processes, where it is known.",
    _MEMORY_BUCKETS_BYTES,
    queue=(),
)
response_duration = _histogram(
    "watchbot_response_duration_seconds",
    "From the sending of a message to its settling.",
    _WORK_BUCKETS_S,
    queue=(),
)
receives = _histogram(
    "watchbot_message_receives",
    "How often a message had been handed out when it was received.",
    _RECEIVES_BUCKETS,
    queue=(),
)
busy = _gauge("watchbot_workers_busy", "Workers running now.")
limit = _gauge("watchbot_workers_limit", "Workers that may run at once.")
queue_messages = _gauge(
    "watchbot_queue_messages",
    "Messages in the queue, by state; asked once a minute.",
    state=("visible", "in_flight", "delayed"),
    queue=(),
)
paused = _gauge("watchbot_paused", "1 while the queue is paused by its tag.", queue=())
oldest_message_age = _gauge(
    "watchbot_queue_oldest_message_age_seconds",
    "Age of the oldest message in the last receive; 0 when it brought none.",
    queue=(),
)
batch_size = _histogram(
    "watchbot_batch_messages",
    "Messages of a run.",
    (1, 2, 5, 10, 20, 50, 100, 1_000, 10_000),
    queue=(),
)
batch_wait = _histogram(
    "watchbot_batch_wait_seconds",
    "How long the first message of a run had waited for a free worker, or for more messages.",
    _WORK_BUCKETS_S,
    queue=(),
)
worker_starts = _counter(
    "watchbot_worker_starts_total", "Processes started that are handed their messages."
)
warm_workers = _gauge(
    "watchbot_warm_workers", "Processes that stay, and are handed message after message."
)
worker_ends = _counter(
    "watchbot_worker_restarts_total",
    "Processes that are handed their messages, and were replaced, by reason.",
    reason=("ended", "start", "answer", "deadline", "recycled", "memory"),
)
worker_runs = _histogram(
    "watchbot_worker_runs",
    "Batches that a process was handed until it was replaced.",
    (0, 1, 10, 100, 1_000, 10_000, 100_000),
)
control_requests = _counter(
    "watchbot_control_requests_total",
    "Requests of workers (`watchbot ctl`), by verb.",
    verb=(
        *("retry_after", "reject", "progress", "checkpoint", "resume", "extend", "deadline"),
        "unknown",
    ),
    result=("ok", "refused"),
)
rate_wait = _counter(
    "watchbot_rate_wait_seconds_total",
    "Time in which --rate alone kept the watcher from receiving.",
)
checkpoints = _counter(
    "watchbot_checkpoints_total",
    "Checkpoints (`--checkpoints`), by what was done; kept: for a dead letter, or one more day.",
    action=("saved", "loaded", "deleted", "kept"),
    result=("ok", "failed", "refused"),
)
ended_early = _counter(
    "watchbot_ended_early_total",
    "Runs that were ended when the drain began, as they could not end in it (`--checkpoints`).",
)
breaker_open = _gauge(
    "watchbot_breaker_open", "1 while alike failures keep the watcher from receiving."
)
unreadable = _counter(
    "watchbot_messages_unreadable_total",
    "Messages received that lack a body, a receipt, or a count; left to their visibility timeout.",
    queue=(),
)
leases_lost = _counter(
    "watchbot_leases_lost_total", "Messages whose lease ended before their worker.", queue=()
)
notifications = _counter(
    "watchbot_notifications_total",
    "Notifications, by result; dropped: too many waited.",
    result=("sent", "failed", "dropped"),
)
dead_letters = _counter(
    "watchbot_dead_letters_total",
    "Messages given up after --max-attempts; failed: the dead-letter queue did not take it.",
    result=("sent", "failed"),
    queue=(),
)
log_lines = _counter(
    "watchbot_log_lines_total", "Lines that workers printed.", stream=("stdout", "stderr")
)
recorded = _counter(
    "watchbot_record_events_total",
    "Events that `watchbot record` has written, by what they are.",
    kind=("task", "other", "rejected"),
)
_RUN_ENDS = ("started", "partial", "skipped", "missed", "failed", "uncertain")
_TASK_ENDS = (
    "success",
    "failed",
    "failed_to_start",
    "interrupted",
    "stopped",
    "lost",
    "unknown",
)
schedule_runs = _counter(
    "watchbot_schedule_runs_total",
    "Runs of a job of `watchbot schedule`, by how they ended.",
    schedule=(),
    status=_RUN_ENDS,
)
schedule_lag = _histogram(
    "watchbot_schedule_lag_seconds",
    "From the time that a run was due to when it had been started; jitter and retries included.",
    _WORK_BUCKETS_S,
    schedule=(),
)
schedule_outcomes = _counter(
    "watchbot_schedule_outcomes_total",
    "Runs of a job whose tasks have ended, by outcome.",
    schedule=(),
    outcome=_TASK_ENDS,
)
schedule_last_success = _gauge(
    "watchbot_schedule_last_success_timestamp_seconds",
    "When a run of this job was last started, or, if it has tasks, ended well.",
    schedule=(),
)
last_receive = _gauge(
    "watchbot_last_receive_timestamp_seconds",
    "When the queue last answered a receive, in seconds since 1970; 0: never.",
    queue=(),
)
_build = _gauge("watchbot_build_info", "1, with the version that runs.", version=(__version__,))
_build.labels(__version__).set(1)

_operations = sum(_CALLS.values(), ())
_aws_requests = _counter(
    "watchbot_aws_requests_total",
    "Calls of AWS, by result.",
    [(service, *rest) for service in _CALLS for rest in product(_CALLS[service], RESULTS)],
    service=list(_CALLS),
    operation=_operations,
    result=RESULTS,
)
_aws_durations = _histogram(
    "watchbot_aws_request_duration_seconds",
    "How long calls of AWS took; a receive waits for messages.",
    _CALL_BUCKETS_S,
    service=list(_CALLS),
    operation=_operations,
)


def know_queue(queue: str) -> None:
    """Starts the series of a queue at 0, before its first message."""
    for counted in (_received, _in_hand, unreadable, leases_lost, paused, last_receive):
        counted.labels(queue)
    for spread in (worker_duration, worker_cpu, worker_memory, response_duration, receives):
        spread.labels(queue)
    for of_batches in (batch_size, batch_wait):
        of_batches.labels(queue)
    for name in outcome.NAMES:
        _settled.labels(name, queue)
    for result in ("sent", "failed"):
        dead_letters.labels(result, queue)


def took(messages: int, queue: str) -> None:
    """Counts messages as received and in hand."""
    _received.labels(queue).inc(messages)
    _in_hand.labels(queue).inc(messages)


def settled(outcome: str, queue: str) -> None:
    """Counts one message as settled and no longer in hand; no scrape can come in between."""
    _settled.labels(outcome, queue).inc()
    _in_hand.labels(queue).dec()


def aws_request(service: str, operation: str, result: str, duration_s: float) -> None:
    """Counts one call of AWS."""
    _aws_requests.labels(service, operation, result).inc()
    _aws_durations.labels(service, operation).observe(duration_s)


def schedule_label(job_id: str) -> str:
    """The label of a job in metrics: its name for the first `MOST_SCHEDULES`, `*` for others."""
    if job_id not in _schedules:
        if len(_schedules) >= MOST_SCHEDULES:
            job_id = OTHER_SCHEDULES
        _schedules.add(job_id)
        for status in _RUN_ENDS:
            schedule_runs.labels(job_id, status)
        for outcome in _TASK_ENDS:
            schedule_outcomes.labels(job_id, outcome)
    return job_id


def scrape() -> bytes:
    """All metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)


def parse(text: str) -> Samples:
    """The samples in a scraped text. Raises `ValueError` for a text in another format."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
