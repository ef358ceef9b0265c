"""`watchbot healthcheck`, as a container runs it."""

import re

import pytest

from tests.cloud import Cloud
from tests.end_to_end.test_local import read_until
from tests.end_to_end.test_scrape import served


def test_watcher_is_well(cloud: Cloud) -> None:
    with served(cloud, cloud.queue("well"), "true") as (watcher, url):
        port = url.removesuffix("/metrics").rpartition(":")[2]
        done = cloud.watchbot("healthcheck", "--port", port)
        by_variable = cloud.watchbot("healthcheck", env={"WATCHBOT_METRICS_PORT": port})
        watcher.terminate()
        watcher.wait(timeout=30)
        gone = cloud.watchbot("healthcheck", "--port", port)

    assert (done.returncode, done.stdout, done.stderr) == (0, "healthcheck: ok\n", "")
    assert by_variable.returncode == 0
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "Connection refused; is that the watcher's --metrics-port?" in gone.stderr
    assert gone.stderr.count("\n") == 1


def test_watcher_whose_queue_is_gone_is_ill(cloud: Cloud) -> None:
    queue = cloud.queue("gone")
    cloud.send(queue, "x")
    with served(cloud, queue, "true") as (watcher, url):
        read_until(watcher, "completed")
        cloud.sqs.delete_queue(QueueUrl=queue)
        read_until(watcher, "receive failed")
        done = cloud.watchbot("healthcheck", "--port", re.findall(r":(\d+)/", url)[0])

    assert done.returncode == 1
    assert done.stderr.startswith("healthcheck: 503: SQS receive_message failed: ")


@pytest.mark.parametrize("port", ["0", "70000", "x", ""])
def test_bad_port_is_a_usage_error(cloud: Cloud, port: str) -> None:
    done = cloud.watchbot("healthcheck", "--port", port)

    assert done.returncode == 2
    assert "--metrics-port (WATCHBOT_METRICS_PORT): must be " in done.stderr
    assert done.stderr.count("\n") == 1


def test_port_in_use_is_refused_at_the_start(cloud: Cloud) -> None:
    queue = cloud.queue("in-use")
    with served(cloud, queue, "true") as (_, url):
        (port,) = re.findall(r":(\d+)/", url)
        done = cloud.listen(queue, "--metrics-host", "127.0.0.1", "--metrics-port", port, "true")

    assert done.returncode == 2
    assert f"cannot serve on 127.0.0.1 port {port}: Address already in use" in done.stderr
