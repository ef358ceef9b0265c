"""A running watcher serves metrics and health."""

import re
import time

import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

SETTLED = 'watchbot_messages_settled_total{outcome="completed",queue="pages"} 1.0'


def test_metrics_and_health_are_served(cloud: Cloud) -> None:
    queue = cloud.queue("pages")
    cloud.send(queue, "x")

    with cloud.started(
        "listen", "--queue-url", queue, "--poll-wait", "1", "--metrics-host", "127.0.0.1",
        "--metrics-port", "0", "true",
    ) as watcher:  # fmt: skip
        said = read_until(watcher, "completed")
        (url,) = re.findall(r"url=(\S+)", said)
        read_health = [requests.get(f"{url}/{page}", timeout=10) for page in ("healthz", "readyz")]
        scraped = requests.get(f"{url}/metrics", timeout=10)
        ends = time.monotonic() + 30
        while SETTLED not in scraped.text and time.monotonic() < ends:  # the log tells it first
            scraped = requests.get(f"{url}/metrics", timeout=10)

    assert [answer.status_code for answer in read_health] == [200, 200]
    assert scraped.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'watchbot_messages_received_total{queue="pages"} 1.0',
        SETTLED,
        "watchbot_workers_limit 1.0",
        'watchbot_queue_messages{queue="pages",state="visible"} ',
        'watchbot_queue_oldest_message_age_seconds{queue="pages"} ',
        'watchbot_aws_requests_total{operation="receive_message",result="ok",service="sqs"}',
    ):
        assert line in scraped.text
