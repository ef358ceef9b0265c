"""`watchbot healthcheck`, as a container runs it."""

import re
import signal
import threading
from contextlib import ExitStack

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.gate import Hold, running_gate
from tests.support.programs import read_until, served


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
    assert "Connection refused; check that --metrics-port is the watcher's" in gone.stderr
    assert gone.stderr.count("\n") == 1


def test_watcher_whose_queue_is_gone_is_alive_and_not_ready(cloud: Cloud) -> None:
    queue = cloud.queue("gone")
    cloud.send(queue, "x")
    with served(cloud, queue, "true") as (watcher, url):
        read_until(watcher, "completed")
        cloud.sqs.delete_queue(QueueUrl=queue)
        read_until(watcher, "receive failed")
        done = cloud.watchbot("healthcheck", "--port", re.findall(r":(\d+)/", url)[0])
        ready = requests.get(url.replace("/metrics", "/readyz"), timeout=10)

    assert (done.returncode, done.stdout) == (0, "healthcheck: ok\n")
    assert ready.status_code == 503
    assert ready.text.startswith("SQS receive_message failed: ")


def test_watcher_that_hangs_is_ill(cloud: Cloud) -> None:
    with served(cloud, cloud.queue("hangs"), "true") as (watcher, url):
        watcher.send_signal(signal.SIGSTOP)
        done = cloud.watchbot("healthcheck", "--port", re.findall(r":(\d+)/", url)[0])
        watcher.send_signal(signal.SIGCONT)

    assert done.returncode == 1
    assert "timed out" in done.stderr


def test_health_is_served_while_sqs_has_not_answered_yet(cloud: Cloud) -> None:
    queue = cloud.queue("first-word")
    reached = threading.Event()
    words = ("--metrics-host", "127.0.0.1", "--metrics-port", "0", "--queue-url", queue, "true")

    with ExitStack() as house:
        gate = house.enter_context(running_gate(cloud.url))
        gate.rule = lambda operation, *_: Hold(reached) if operation else None
        watcher = house.enter_context(
            cloud.started("listen", *words, env={"AWS_ENDPOINT_URL": gate.url})
        )
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "serving metrics"))
        health = requests.get(f"{url}/healthz", timeout=10)
        ready = requests.get(f"{url}/readyz", timeout=10)
        reached.set()
        read_until(watcher, "started")

    assert health.status_code == 200
    assert (ready.status_code, ready.text) == (503, "the queue has not answered yet\n")


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
