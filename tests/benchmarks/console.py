"""The console before much: 50 watchers, 20 queues, dead letters, and a record of many tasks.

    python -m tests.benchmarks.console RECORD

RECORD is the URL of a database of `watchbot record`; where it is empty it is filled with --tasks.
Prints the time of each page on the server, its size, and the memory of the console.
"""

import argparse
import itertools
import json
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import anyio

from tests.benchmarks.bench import BIN, Server, environment, rss_mb, serving
from tests.benchmarks.record import fill
from tests.support.databases import a_record

WATCHERS, QUEUES, RUNS, LOOKS = 50, 20, 200, 15
KINDS = 10  # that a watcher remembers
NOW = "2026-11-21T08:59:57.000Z"
PAGES = ("/", "/failures", "/letters", "/letters/q1", "/runs", "/schedule", "/tasks", "/audit")


def metrics(number: int) -> str:
    """What a watcher that works says."""
    settled = "".join(
        f'watchbot_messages_settled_total{{outcome="{name}"}} {1000 + number}\n'
        for name in ("completed", "returned", "rejected", "failed", "timed_out")
    )
    buckets = "".join(
        f'watchbot_worker_duration_seconds_bucket{{le="{bound}"}} {10 * bound}\n'
        for bound in (1, 2, 5, 10, 30, 60)
    )
    busy = "watchbot_workers_limit 16\nwatchbot_workers_busy 12\n"
    return f'watchbot_build_info{{version="1"}} 1\n{busy}{settled}{buckets}'


def failures(number: int) -> list[Mapping[str, object]]:
    return [
        {"fingerprint": f"{kind:016x}", "how": f"exit code {kind}", "count": 7 + number,
         "first": NOW, "last": NOW, "tail": "no such tile\n" * 20}
        for kind in range(KINDS)
    ]  # fmt: skip


def runs(number: int) -> list[Mapping[str, object]]:
    return [
        {"message_id": f"{number:08x}-0000-4000-8000-{each:012x}", "queue": "q1",
         "outcome": "failed" if each % 5 else "completed", "how": "exit code 1", "ended": NOW,
         "fingerprint": f"{each % KINDS:016x}", "duration_s": 1.5, "receives": 2,
         "memory_bytes": 50_000_000, "tail": "no such tile\n" * 20}
        for each in range(RUNS)
    ]  # fmt: skip


def workers(number: int) -> Mapping[str, object]:
    running = [
        {"message_ids": [f"{number:08x}-{each}"], "age_s": 12.0, "progress": {}}
        for each in range(12)
    ]
    return {"running": running}


class Watcher(BaseHTTPRequestHandler):
    """All watchers: /NUMBER/metrics, and what is beside it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name that http.server calls
        _, number, *rest = self.path.split("/")
        answers = {"failures": failures, "v1/runs": runs, "v1/workers": workers}
        name = "/".join(rest)
        said = answers[name](int(number)) if name in answers else None
        body = (metrics(int(number)) if said is None else json.dumps(said)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def watchers() -> Iterator[list[str]]:
    """The addresses of the metrics of watchers that are made up."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Watcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}/{number}/metrics" for number in range(WATCHERS)]
    server.shutdown()


@contextmanager
def console(server: Server, record: str, letters: int) -> Iterator[tuple[str, int]]:
    """A console on all of it: its URL, and its process id."""
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:q2", "maxReceiveCount": 5}
    urls = [server.queue() for _ in range(QUEUES)]
    redrive = {"RedrivePolicy": json.dumps(policy)}
    server.call("SetQueueAttributes", QueueUrl=urls[0], Attributes=redrive)
    server.call("FillQueue", QueueUrl=urls[1], Count=letters)
    with watchers() as addresses:
        words = [word for url in urls for word in ("--queue-url", url)]
        words += [word for address in addresses for word in ("--watcher", address)]
        with subprocess.Popen(
            [str(BIN / "watchbot"), "console", "--port", "0", "--record", record, *words],
            env=environment(server.url), stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout
            (url,) = re.findall(r"console url=(\S+)", process.stdout.readline())
            yield url, process.pid
            process.terminate()


def opened(url: str, letters: int) -> None:
    """Opens the dead letters, and waits until all are there."""
    (ticket,) = set(re.findall(r'name="ticket" value="([^"]+)"', _get(f"{url}/queues/q1")))
    form = urlencode({"ticket": ticket}).encode()
    urllib.request.urlopen(f"{url}/letters/q1/open", form, timeout=60).close()
    await_words(f"{url}/letters/q1", f"{letters:,} are open")
    await_words(f"{url}/", "12 of 16", WATCHERS)  # all watchers are read


def await_words(url: str, words: str, times: int = 1) -> None:
    while _get(url).count(words) < times:
        time.sleep(0.5)  # neither a walk nor a round of reading announces its end


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def measure(record: str, letters: int) -> Iterator[str]:
    """Lines of a table."""
    with serving() as server, console(server, record, letters) as (url, pid):
        opened(url, letters)
        yield "| page | median | slowest | size |\n|---|---|---|---|\n"
        times: dict[str, list[float]] = {page: [] for page in PAGES}
        sizes = {}
        for _, page in itertools.product(range(LOOKS), PAGES):
            began = time.perf_counter()
            sizes[page] = len(_get(url + page))
            times[page].append(1000 * (time.perf_counter() - began))
        for page, taken in times.items():
            middle, most = statistics.median(taken), max(taken)
            yield f"| {page} | {middle:.0f} ms | {most:.0f} ms | {sizes[page] / 1000:.0f} kB |\n"
        yield f"memory {rss_mb(pid):.0f} MB\n"


def main() -> int:
    """Fills the record where it is empty, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--letters", type=int, default=100_000)
    asked = parser.parse_args()

    async def filled() -> None:
        async with a_record(asked.record) as database:
            if not await database.fetch("SELECT 1 AS one FROM ecs_task LIMIT 1"):
                await fill(database, asked.tasks)

    anyio.run(filled)
    for line in measure(asked.record, asked.letters):
        sys.stdout.write(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
