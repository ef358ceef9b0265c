"""Runs consumers against the tests' own SQS server, and measures them from outside."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.sqs_server import sqs_server_process

BIN = Path(sys.executable).parent
RIVALS = Path(__file__).parent / "rivals"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
WORKING = {"ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The work of a consumer on a queue."""

    rate: float  # messages per second, from their sending to the last delete
    cpu_ms: float  # of the consumer itself, for each message; not of its workers
    calls: float  # of SQS, for each message
    rss_mb: float


class Server:
    """An SQS in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._queues = 0

    def call(self, action: str, **request: Any) -> Any:
        """The server's answer to a call."""
        asked = urllib.request.Request(
            self.url,
            json.dumps(request).encode(),
            {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": "application/x-amz-json-1.0"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())

    def queue(self) -> str:
        """The URL of a new queue."""
        self._queues += 1
        made = self.call(
            "CreateQueue", QueueName=f"q{self._queues}", Attributes={"VisibilityTimeout": "600"}
        )
        url: str = made["QueueUrl"]
        return url

    def left(self, queue: str) -> int:
        """The messages that are not deleted yet."""
        said = self.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=["All"])
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(said["Attributes"][name]) for name in names)

    def wait_until_empty(self, queue: str, within_s: float = 600) -> None:
        """Returns once all is deleted. Raises `TimeoutError`."""
        ends = time.monotonic() + within_s
        while self.left(queue):
            if time.monotonic() > ends:
                raise TimeoutError("the queue was never empty")
            time.sleep(0.02)  # a queue announces nothing


@contextmanager
def serving(*, latency_ms: float = 0) -> Iterator[Server]:
    """A server, until the block is left."""
    with sqs_server_process(latency_ms=latency_ms) as url:
        yield Server(url)


def environment(url: str) -> dict[str, str]:
    """The variables of a consumer of this server, and no others of this machine's."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }


@contextmanager
def running(
    words: Sequence[str], env: Mapping[str, str], *, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, ended with all of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, subprocess.Popen(
        words, env={**env, "TMPDIR": scratch}, stdin=subprocess.DEVNULL, stdout=stdout,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def cpu_s(pid: int) -> float:
    """The CPU time of a process, user and system, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def await_first_poll(server: Server) -> float:
    """When the server was first asked for messages since its calls were told last."""
    while True:
        with contextlib.suppress(KeyError):
            first: float = server.call("TellCalls")["ReceiveMessage"]["first_at"]
            return first
        time.sleep(0.01)  # the server announces no call


def consume(server: Server, words: Sequence[str], count: int, body: str | None = None) -> Run:
    """Has a consumer work off `count` messages. `words` with {queue} for the queue's URL.

    Raises `ChildProcessError` when the consumer ends before it has asked for a message.
    """
    queue = server.queue()
    with running([word.format(queue=queue) for word in words], environment(server.url)) as process:
        while "ReceiveMessage" not in server.call("TellCalls"):
            if process.poll() is not None:
                raise ChildProcessError(f"ended with {process.returncode}: {shlex.join(words)}")
            time.sleep(0.02)  # the server announces no call
        time.sleep(0.3)  # the start-up is over
        began_cpu = cpu_s(process.pid)
        server.call("FillQueue", QueueUrl=queue, Count=count, MessageBody=body)
        server.wait_until_empty(queue)
        calls = server.call("TellCalls")
        cpu, rss = cpu_s(process.pid) - began_cpu, rss_mb(process.pid)
    deletes = [note for action, note in calls.items() if action.startswith("Delete")]
    took_s = max(note["last_at"] for note in deletes) - calls["FillQueue"]["first_at"]
    asked = sum(note["count"] for action, note in calls.items() if action in WORKING)
    return Run(
        rate=count / took_s,
        cpu_ms=1000 * cpu / count,
        calls=asked / count,
        rss_mb=rss,
    )


def watchbot(*options: str) -> list[str]:
    """The words of a watcher, for `consume`."""
    return [str(BIN / "watchbot"), "listen", "--queue-url", "{queue}", "--poll-wait", "5", *options]


def ours(width: int, words: Sequence[str]) -> list[str]:
    """The words of a watcher with so many workers."""
    return watchbot("--concurrency", str(width), *words)


def idle_waits_ms(server: Server, words: Sequence[str], count: int) -> Iterator[float]:
    """How long each message waits for its handler, from the end of its sending.

    The handler prints its start: nanoseconds since 1970. `words` as for `consume`.
    """
    queue = server.queue()
    server.call("TellCalls")
    with running(
        [word.format(queue=queue) for word in words],
        environment(server.url),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        await_first_poll(server)
        for _ in range(count):
            time.sleep(0.05)  # idle again
            server.call("SendMessage", QueueUrl=queue, MessageBody="x")
            sent = time.time_ns()
            for line in process.stdout:
                if started := re.search(rb"\] (\d{19})$", line.strip()):
                    yield (int(started[1]) - sent) / 1e6
                    break
