"""Addresses of IPv6, wherever one may be given, and as URLs have them where one is printed."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

pytestmark = pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["::1", "[::1]", "::"])
def test_watcher_serves_and_is_asked(cloud: Cloud, host: str) -> None:
    queue = cloud.queue("ipv6")
    words = ("--metrics-host", host, "--metrics-port", "0", "--queue-url", queue, "true")
    with cloud.started("listen", *words) as watcher:
        (url,) = re.findall(r"url=(\S+)", read_until(watcher, "started"))
        port = url.rpartition(":")[2]
        health = cloud.watchbot("healthcheck", "--metrics-host", host, "--port", port)
        top = cloud.watchbot("top", "--once", "--interval", "0.1", "--url", f"http://[::1]:{port}")

    assert re.fullmatch(r"http://\[::1?\]:\d+", url)
    assert (health.returncode, health.stdout) == (0, "healthcheck: ok\n")
    assert top.returncode == 0, top.stdout


def test_scheduler_serves_its_pages(cloud: Cloud, tmp_path: Path) -> None:
    options = ("--host", "::1", "--port", "0", "--database", f"sqlite:///{tmp_path}/schedule.db")
    with cloud.started("schedule", *options) as scheduler:
        (url,) = re.findall(r"url=(\S+)", read_until(scheduler, "serving the API"))
        page = requests.get(f"{url}/jobs", timeout=10)
        by_another_name = requests.get(f"{url}/jobs", headers={"Host": "evil.example"}, timeout=10)

    assert url.startswith("http://[::1]:")
    assert page.status_code == 200
    assert by_another_name.status_code == 400


@pytest.fixture
def far_end(cloud: Cloud) -> Iterator[str]:
    """The URL of the cloud by IPv6."""
    port = int(cloud.url.rpartition(":")[2])

    def pump(source: socket.socket, target: socket.socket) -> None:
        with target, contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                near, _ = door.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    with socket.create_server(("::1", 0), family=socket.AF_INET6) as door:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://[::1]:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
        accepting.join()


def test_aws_is_asked_at_an_endpoint_of_ipv6(cloud: Cloud, far_end: str) -> None:
    queue = cloud.queue("far").replace(cloud.url, far_end)
    nowhere = {"AWS_ENDPOINT_URL": ""}

    sent = cloud.watchbot("send", "--queue-url", queue, "hello", env=nowhere)
    options = ("--queue-url", queue, "--endpoint-url", far_end)
    words = ("--exit-when-empty", "--poll-wait", "1", 'echo "got $Message"')
    done = cloud.watchbot("listen", *options, *words, env=nowhere)

    assert sent.returncode == 0, sent.stderr
    assert (done.returncode, done.stderr) == (0, "")
    assert "got hello" in done.stdout
