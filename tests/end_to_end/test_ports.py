"""The HTTP port of a service: whatever is done to it, the work goes on."""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

PORT = ("--metrics-host", "127.0.0.1", "--metrics-port", "0")
COUNT = 'echo "ran at $ApproximateReceiveCount"'


def limit(files: str) -> list[str]:
    """Words that start a command with this `ulimit` of open files."""
    return ["/bin/sh", "-c", f'ulimit {files} && exec "$@"', "sh"]


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def idle(url: str) -> bytes:
    return b""


def half_a_request(url: str) -> bytes:
    return b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "


def half_a_body(url: str) -> bytes:
    return b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"


def rubbish(url: str) -> bytes:
    return b"\x16\x03\x01" + os.urandom(600) + b"\r\n\r\n"


def never_read(url: str) -> bytes:
    return b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200


@pytest.mark.parametrize("said", [idle, half_a_request, half_a_body, rubbish, never_read])
def test_connections_that_only_wait_cost_no_message(
    cloud: Cloud, said: Callable[[str], bytes]
) -> None:
    queue = cloud.queue(f"port-{said.__name__}".replace("_", "-"))
    words = ("listen", "--queue-url", queue, "--poll-wait", "1", "--concurrency", "4", *PORT, COUNT)

    with cloud.started(*words, within=limit("-n 120")) as watcher, contextlib.ExitStack() as house:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "started"))
        for _ in range(300):
            connection = house.enter_context(socket.create_connection(address(url), timeout=10))
            with contextlib.suppress(OSError):  # some are closed again by then
                connection.sendall(said(url))
        cloud.send_many(queue, [str(number) for number in range(30)])
        told = "".join(read_until(watcher, "completed") for _ in range(30))
        health = requests.get(f"{url}/healthz", timeout=10)
        watcher.terminate()
        told += watcher.communicate(timeout=60)[0]

    assert told.count("ran at 1\n") == 30
    assert health.status_code == 200
    assert "cannot start" not in told
    assert "no room" not in told
    assert watcher.returncode == 0
    assert cloud.depth(queue) == (0, 0)


def test_flood_of_requests_leaves_the_loop_to_the_work(cloud: Cloud) -> None:
    queue = cloud.queue("flood")
    over = threading.Event()

    def ask(url: str) -> None:
        with requests.Session() as session:
            while not over.is_set():
                with contextlib.suppress(requests.RequestException):
                    session.get(f"{url}/metrics", timeout=10)

    words = ("listen", "--queue-url", queue, "--poll-wait", "1", *PORT, COUNT)
    with cloud.started(*words) as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "started"))
        askers = [threading.Thread(target=ask, args=(url,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            cloud.send_many(queue, [str(number) for number in range(30)])
            told = "".join(read_until(watcher, "completed") for _ in range(30))
            health = requests.get(f"{url}/healthz", timeout=10)
        finally:
            over.set()
            for asker in askers:
                asker.join()

    assert told.count("ran at 1\n") == 30
    assert health.status_code == 200


def test_client_that_asks_again_and_again_is_answered_each_time(cloud: Cloud) -> None:
    queue = cloud.queue("scraped")
    with cloud.started("listen", "--queue-url", queue, *PORT, "true") as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "started"))
        codes = {requests.get(f"{url}/metrics", timeout=10).status_code for _ in range(100)}

    assert codes == {200}


def test_workers_get_the_limit_of_open_files_that_the_watcher_was_started_with(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("limit")
    cloud.send_many(queue, [str(number) for number in range(60)])
    up = tmp_path / "up"
    together = (
        f'echo "at $ApproximateReceiveCount with $(ulimit -Sn)" >> {up}; '
        f"until [ $(wc -l < {up}) = 60 ]; do sleep 0.1; done"
    )
    words = ("--poll-wait", "1", "--exit-when-empty", "--concurrency", "60", together)

    with cloud.started("listen", "--queue-url", queue, *words, within=limit("-Sn 100")) as watcher:
        told = watcher.communicate(timeout=120)[0]

    assert watcher.returncode == 0, told
    assert up.read_text() == "at 1 with 100\n" * 60


def test_more_workers_than_the_hard_limit_carries_are_refused(cloud: Cloud) -> None:
    words = ("listen", "--queue-url", cloud.queue("too-many"), "--concurrency", "100", "true")
    with cloud.started(*words, within=limit("-n 120")) as watcher:
        told = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 2
    assert told.startswith(
        "watchbot: --concurrency (WATCHBOT_CONCURRENCY): 100 workers need 344 open files, "
        "and the hard limit is 120: ask for at most 25, or raise it (ulimit -Hn"
    )
    assert told.count("\n") == 1


def test_one_worker_too_many_is_told_to_raise_the_limit(cloud: Cloud) -> None:
    words = ("listen", "--queue-url", cloud.queue("one-too-many"), "true")
    with cloud.started(*words, within=limit("-n 46")) as watcher:
        told = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 2
    assert ": a worker needs 47 open files, and the hard limit is 46: raise it (ulimit" in told


def test_auto_asks_for_no_more_workers_than_the_hard_limit_carries(cloud: Cloud) -> None:
    queue = cloud.queue("auto")
    words = ("listen", "--queue-url", queue, "--concurrency", "auto", "true")
    with cloud.started(*words, within=limit("-n 48")) as watcher:
        told = read_until(watcher, "started")

    assert "started concurrency=1" in told


def test_unfinished_request_ends_in_its_time(cloud: Cloud) -> None:
    queue = cloud.queue("unfinished")
    with cloud.started("listen", "--queue-url", queue, *PORT, "true") as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "started"))
        with socket.create_connection(address(url), timeout=60) as connection:
            connection.sendall(half_a_request(url))
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""

    assert time.monotonic() - began < 60  # uvicorn alone would wait for ever
