"""Every metric, by name. Nobody else names one; nobody else imports prometheus_client."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from watchbot import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Workers run for milliseconds or for hours; an answer of AWS takes milliseconds to a long poll.
_WORK_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 10800, 43200)
_CALL_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 21)

received = Counter("watchbot_messages_received", "Messages taken from the queue.")
settled = Counter("watchbot_messages_settled", "Messages let go of, by outcome.", ["outcome"])
worker_duration = Histogram(
    "watchbot_worker_duration_seconds",
    "How long a worker ran.",
    buckets=_WORK_BUCKETS_S,
)
response_duration = Histogram(
    "watchbot_response_duration_seconds",
    "From the sending of a message to its settling.",
    buckets=_WORK_BUCKETS_S,
)
receives = Histogram(
    "watchbot_message_receives",
    "How often a message had been handed out when it was received.",
    buckets=(1, 2, 3, 4, 5, 7, 10, 15, 20, 50, 100),
)
busy = Gauge("watchbot_workers_busy", "Workers running now.")
limit = Gauge("watchbot_workers_limit", "Workers that may run at once.")
queue_messages = Gauge("watchbot_queue_messages", "Messages in the queue, by state.", ["state"])
oldest_message_age = Gauge(
    "watchbot_queue_oldest_message_age_seconds", "Age of the oldest message seen in the last poll."
)
breaker_open = Gauge("watchbot_breaker_open", "1 while alike failures keep it from receiving.")
leases_lost = Counter("watchbot_leases_lost", "Messages whose lease ended before their worker.")
notifications = Counter("watchbot_notifications", "Notifications, by result.", ["result"])
log_lines = Counter("watchbot_log_lines", "Lines that workers printed, by stream.", ["stream"])
recorded = Counter("watchbot_record_events", "Events written, by what they are.", ["kind"])
last_receive = Gauge(
    "watchbot_last_receive_timestamp_seconds", "When the queue last answered a receive."
)
_build = Gauge("watchbot_build_info", "The version that runs.", ["version"])
_build.labels(__version__).set(1)

_aws_requests = Counter(
    "watchbot_aws_requests", "Calls of AWS, by result.", ["service", "operation", "result"]
)
_aws_durations = Histogram(
    "watchbot_aws_request_duration_seconds",
    "How long calls of AWS took.",
    ["service", "operation"],
    buckets=_CALL_BUCKETS_S,
)


def aws_request(service: str, operation: str, result: str, duration_s: float) -> None:
    """Counts one call of AWS."""
    _aws_requests.labels(service, operation, result).inc()
    _aws_durations.labels(service, operation).observe(duration_s)


def scrape() -> bytes:
    """Everything, in Prometheus's text format."""
    return generate_latest(REGISTRY)
