"""Makes the pictures of the console at work: in Chromium, of a queue on this machine.

A picture is made anew when what it shows has changed: the pages' templates and style.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3

from watchbot.local.server import running_server

FOLDER = Path("docs/pictures")
STAMP = FOLDER / "made-from"
SCHEMES = {"light": 1, "dark": 0}  # as Chromium numbers them
SIZE = (1120, 620)
BIN = Path(sys.executable).parent
WORKER = """
case "$Message" in
*.gif) echo "no size in the header" >&2; exit 1 ;;
*.tiff) sleep 0.2; echo "out of memory" >&2; exit 137 ;;
*.raw) sleep 100 ;;
esac
"""
MESSAGES = ["a.raw", "b.raw", "c.gif", "d.gif", "e.tiff", *(f"{n}.png" for n in range(12))]
PATIENCE_S = 60


def stamp() -> str:
    """A hash of all that the pictures show: templates, style and script."""
    parts = Path("watchbot/console/templates"), Path("watchbot/pages/templates")
    files = [path for part in parts for path in sorted(part.iterdir()) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def main() -> int:
    """Makes the pictures, if Chromium is here and they are not up to date."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if STAMP.exists() and STAMP.read_text().strip() == stamp():
        return 0
    if chromium is None:
        sys.stdout.write("no Chromium here: the pictures of the console stay as they are\n")
        return 0
    FOLDER.mkdir(exist_ok=True)
    with at_work() as url:
        for scheme, number in SCHEMES.items():
            _shoot(chromium, f"--blink-settings=preferredColorScheme={number}", url, scheme)
    STAMP.write_text(f"{stamp()}\n")
    return 0


@contextmanager
def at_work() -> Iterator[str]:
    """A console that has something to show; its URL."""
    with ExitStack() as house:
        endpoint = house.enter_context(running_server())
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
        }
        pictures, thumbnails = _queues(endpoint)
        port = ("--metrics-host", "127.0.0.1", "--metrics-port", "0", "--show-output")
        listen = ("listen", "--queue-url", pictures, "--concurrency", "4", *port)
        watcher = house.enter_context(
            _running(environment, r"health url=(\S+)", *listen, "--shell", WORKER)
        )
        named = ("--queue-url", pictures, "--queue-url", thumbnails)
        words = ("console", "--port", "0", *named, "--watcher", f"{watcher}/metrics")
        url = house.enter_context(_running(environment, r"console url=(\S+)", *words))
        _await(url, "well")
        _send(endpoint, pictures)
        _await(url, "exit code 137", "2 of 4")
        yield url


def _queues(endpoint: str) -> tuple[str, str]:
    sqs = _sqs(endpoint)
    dead = sqs.create_queue(QueueName="pictures-dead")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:pictures-dead"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    pictures = sqs.create_queue(QueueName="pictures", Attributes={"RedrivePolicy": policy})
    paused = {"watchbot:paused": "a deploy", "watchbot:paused-by": "ann"}
    thumbnails = sqs.create_queue(QueueName="thumbnails", tags=paused)
    for number in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody=f"lost-{number}.png")
    for number in range(240):
        sqs.send_message(QueueUrl=thumbnails["QueueUrl"], MessageBody=f"{number}.png")
    return pictures["QueueUrl"], thumbnails["QueueUrl"]


def _send(endpoint: str, queue: str) -> None:
    sqs = _sqs(endpoint)
    for body in MESSAGES:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def _sqs(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client("sqs", region_name="us-east-1", endpoint_url=endpoint, **keys)


@contextmanager
def _running(environment: Mapping[str, str], told: str, *words: str) -> Iterator[str]:
    """A command that runs; the URL that it tells."""
    with subprocess.Popen(
        [str(BIN / "watchbot"), *words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = iter(process.stdout or ())
            yield next(found[1] for line in lines if (found := re.search(told, line)))
        finally:
            process.kill()


def _await(url: str, *words: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while True:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own
            page = answer.read().decode()
        if all(each in page for each in words):
            return
        if time.monotonic() > ends:
            raise TimeoutError(f"the console never shows {words}")
        time.sleep(0.5)  # a page announces nothing


def _shoot(chromium: str, scheme: str, url: str, name: str) -> None:
    width, height = SIZE
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars".split()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        picture = f"--screenshot={FOLDER / f'console-{name}.png'}"
        where: Sequence[str] = (f"--user-data-dir={profile}", f"--window-size={width},{height}")
        subprocess.run(
            [chromium, *flags, *where, scheme, picture, url],
            env={**os.environ, "TZ": "UTC"}, capture_output=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
