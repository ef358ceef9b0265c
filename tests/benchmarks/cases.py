"""Defines the measurements. Rivals take turns with us, so that noise hits all of them."""

import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import record
from tests.benchmarks.bench import (
    RIVALS,
    Server,
    await_first_poll,
    consume,
    cpu_s,
    environment,
    idle_waits_ms,
    ours,
    rss_mb,
    running,
    serving,
    watchbot,
)
from tests.benchmarks.findings import Findings, Scale
from tests.benchmarks.workers import warm, warm_when_idle
from tests.benchmarks.workshop import workshop

PLAIN = ("/bin/true",)
SHELL = ("/bin/sh", "-c", "/bin/true; exit $?")  # a shell that cannot exec its last word

Case = Callable[[Findings, Scale], None]


def limit_rate(home: Path, width: int, words: tuple[str, ...], count: int) -> float:
    """Runs per second that the machine can do at all."""
    began = time.perf_counter()
    subprocess.run([home / "limit", str(count), str(width), *words], check=True)
    return count / (time.perf_counter() - began)


def throughput(found: Findings, scale: Scale) -> None:
    """Messages per second, against the machine's limit and the rivals."""
    with workshop() as home, serving() as server:
        for _ in range(scale.rounds):
            for width in scale.widths:
                count = scale.messages if width >= 8 else scale.messages // 4
                for kind, words in (("plain", PLAIN), ("shell", SHELL)):
                    run = consume(server, ours(width, words), count)
                    found.add_run(f"watchbot {kind} {width}", run)
                    rate = limit_rate(home, width, words, scale.messages)
                    found.add(f"limit {kind} {width}", rate)
            for name, rival in _rivals(home):
                count = 12 if name == "shell loop" else scale.rival_messages
                found.add_run(f"{name} plain 16", consume(server, rival, count))


def _rivals(home: Path) -> Iterator[tuple[str, list[str]]]:
    work = ["{queue}", "16", *PLAIN]
    yield "asyncio", [sys.executable, str(RIVALS / "asyncio_consumer.py"), *work]
    if (home / "node_modules").exists():
        yield "sqs-consumer", ["node", str(home / "consumer.mjs"), *work]
    yield "shell loop", ["sh", str(RIVALS / "shell_loop.sh"), *work]


def latency(found: Findings, scale: Scale) -> None:
    """Messages per second at concurrency 64 when every call of SQS takes longer."""
    for _ in range(scale.rounds):
        for added_ms in scale.latencies_ms:
            with serving(latency_ms=added_ms) as server:
                run = consume(server, ours(64, PLAIN), scale.messages)
            found.add(f"rate at +{added_ms} ms", run.rate)


def idle(found: Findings, scale: Scale) -> None:
    """From the sending of a message to an idle watcher's command."""
    with serving() as server:
        waits = list(idle_waits_ms(server, watchbot("/bin/date", "+%s%N"), scale.singles))
    for waited_ms in waits:
        found.add("sent to started, ms", waited_ms)
    found.add("sent to started p99, ms", statistics.quantiles(waits, n=100)[98])


def startup(found: Findings, scale: Scale) -> None:
    """From exec to the first poll, and what an idle watcher takes."""
    with serving() as server:
        for _ in range(max(3, scale.rounds)):
            queue = server.queue()
            server.call("TellCalls")
            words = [word.format(queue=queue) for word in watchbot(*PLAIN)]
            began = time.monotonic()
            with running(words, environment(server.url)) as process:
                found.add("exec to first poll, s", await_first_poll(server) - began)
                time.sleep(0.5)  # the start-up's last allocations
                found.add("RSS after the first poll, MB", rss_mb(process.pid))
                before = cpu_s(process.pid)
                time.sleep(10)  # the span of the measurement
                found.add("idle CPU, %", (cpu_s(process.pid) - before) / 10 * 100)


def lifetime(found: Findings, scale: Scale) -> None:
    """Memory after many messages."""
    with serving() as server:
        queue = server.queue()
        words = [word.format(queue=queue) for word in ours(16, PLAIN)]
        with running(words, environment(server.url)) as process:
            for count in (1000, scale.lifetime - 1000):
                server.call("FillQueue", QueueUrl=queue, Count=count)
                server.wait_until_empty(queue)
                time.sleep(0.5)  # the last deletes
                found.add(f"RSS, MB, {'early' if count == 1000 else 'late'}", rss_mb(process.pid))


def sleepers(found: Findings, scale: Scale) -> None:
    """Many workers that only sleep: memory for each, calls to keep them, and the loop's lag."""
    with serving() as server:
        queue = server.queue()
        options = ("--concurrency", str(scale.sleepers), "--visibility-timeout", "9")
        served = ("--metrics-host", "127.0.0.1", "--metrics-port", "0")
        words = [
            word.format(queue=queue) for word in watchbot(*options, *served, "/bin/sleep", "30")
        ]
        with running(words, environment(server.url), stdout=subprocess.PIPE) as process:
            assert process.stdout
            url = next(
                match[1].decode() for line in process.stdout
                if (match := re.search(rb"url=(\S+)", line))
            )  # fmt: skip
            time.sleep(1)  # the start-up is over
            before = rss_mb(process.pid)
            server.call("FillQueue", QueueUrl=queue, Count=scale.sleepers)
            for started, line in enumerate(process.stdout, 1):
                if b"] received " not in line or started >= scale.sleepers:
                    break
            time.sleep(3)  # all sleepers have begun
            server.call("TellCalls")
            lags = [_lag_ms(f"{url}/healthz") for _ in range(300)]
            grown = rss_mb(process.pid) - before
            calls = server.call("TellCalls")["ChangeMessageVisibilityBatch"]
            seconds = calls["last_at"] - calls["first_at"]
            found.add("memory a sleeping worker, KB", 1024 * grown / scale.sleepers)
            found.add("heartbeat calls a second", calls["count"] / seconds)
            found.add("loop lag p99, ms", statistics.quantiles(lags, n=100)[98])
            process.send_signal(signal.SIGKILL)


def logs(found: Findings, scale: Scale) -> None:
    """How fast lines of a hundred bytes pass through, and what that takes."""
    with tempfile.TemporaryDirectory() as name, serving() as server:
        file = Path(name) / "lines"
        with file.open("wb") as lines:
            for _ in range(scale.printed_mb):
                lines.write((b"x" * 99 + b"\n") * 10_000)
        for _ in range(scale.rounds):
            for kind in ("text", "structured"):
                option = ["--structured-logging"] if kind == "structured" else []
                rate, grown = _printed(server, [*option, "/bin/cat", str(file)], file)
                found.add(f"{kind} log, MB/s", rate)
                found.add(f"{kind} log, MB of memory", grown)


def recording(found: Findings, scale: Scale) -> None:
    """How fast `watchbot record` writes events, from eight consumers."""
    for _ in range(scale.rounds):
        for database, rate in record.ingest_rates(scale.recorded).items():
            found.add(f"events recorded in {database} a second", rate)


def answering(found: Findings, scale: Scale) -> None:
    """How fast `watchbot record` answers, with many tasks in PostgreSQL."""
    for question, times_ms in record.answer_times_ms(scale.answered).items():
        for time_ms in times_ms:
            found.add(f"answer, ms: {question}", time_ms)
        found.add("slowest answer, ms", statistics.median(times_ms))
    found.figures["slowest answer, ms"] = [max(found.figures["slowest answer, ms"])]


def _printed(server: Server, words: list[str], file: Path) -> tuple[float, float]:
    queue = server.queue()
    listen = [word.format(queue=queue) for word in watchbot(*words)]
    server.call("TellCalls")  # forgets the polls of the watcher before
    with running(listen, environment(server.url)) as process:
        await_first_poll(server)
        time.sleep(0.3)  # the start-up is over
        before = rss_mb(process.pid)
        began = time.monotonic()
        server.call("SendMessage", QueueUrl=queue, MessageBody="x")
        most = before
        while server.left(queue):
            most = max(most, rss_mb(process.pid))
            time.sleep(0.02)  # a process announces no memory
        took_s = time.monotonic() - began
    return file.stat().st_size / 1e6 / took_s, most - before


def _lag_ms(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=60) as answer:
        answer.read()
    time.sleep(0.02)  # the span of the measurement
    return 1000 * (time.perf_counter() - began - 0.02)


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        throughput,
        warm,
        warm_when_idle,
        latency,
        idle,
        startup,
        lifetime,
        sleepers,
        logs,
        recording,
        answering,
    )
}
