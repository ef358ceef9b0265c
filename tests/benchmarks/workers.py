"""Measures workers that stay, against a process for each message, and against rivals.

The rivals run their handlers in their own processes.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.bench import (
    RIVALS,
    consume,
    idle_waits_ms,
    ours,
    serving,
    watchbot,
)
from tests.benchmarks.findings import Findings, Scale
from tests.benchmarks.workshop import add_python, workshop

FILES = {
    "worker.py": "import watchbot\nwatchbot.work(lambda message: None)\n",
    "worker.cjs": (
        "require('node:readline').createInterface({ input: process.stdin })\n"
        "  .on('line', (line) => { JSON.parse(line); require('node:fs').writeSync(3, '0\\n'); });\n"
    ),
    "worker.sh": "while IFS= read -r message; do echo 0 >&3; done\n",
    "app.py": "def handler(event, context):\n    return {'batchItemFailures': []}\n",
    "tells.py": ("import time, watchbot\nwatchbot.work(lambda message: print(time.time_ns()))\n"),
    "app_tells.py": (
        "import time\ndef handler(event, context):\n    print(time.time_ns(), flush=True)\n"
    ),
}
SLOW_STARTS = 10  # a process with a client of AWS is measured with this part of the messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A consumer, how many messages it works off, and their body where it wants its own."""

    name: str
    words: list[str]
    count: int
    body: str | None = None


def warm(found: Findings, scale: Scale) -> None:
    """Messages per second of workers that stay, of a process for each, and of rivals."""
    with workshop() as home, serving() as server:
        for name, text in FILES.items():
            (home / name).write_text(text)
        contenders = [*_ours(home, scale), *_rivals(home, scale)]
        for _ in range(scale.rounds):
            for one in contenders:
                found.add_run(one.name, consume(server, one.words, one.count, one.body))


def warm_when_idle(found: Findings, scale: Scale) -> None:
    """From the sending of a message to the handler of an idle worker that stays."""
    with tempfile.TemporaryDirectory() as name, serving() as server:
        home = Path(name)
        for file, text in FILES.items():
            (home / file).write_text(text)
        for kind, words in (
            ("lines", _lines(sys.executable, str(home / "tells.py"))),
            ("lambda", _function(home, "app_tells.handler")),
        ):
            for waited_ms in idle_waits_ms(server, watchbot(*words), scale.singles):
                found.add(f"sent to handler, warm {kind}, ms", waited_ms)


def _ours(home: Path, scale: Scale) -> Iterator[Contender]:
    python, function = _lines(sys.executable, str(home / "worker.py")), _function(home)
    client = "import boto3; boto3.client('sqs')"
    for name, width, words, count in (
        ("spawn true", 16, ("/bin/true",), scale.messages),
        ("spawn python", 4, (sys.executable, "-c", "import json"), scale.singles),
        ("spawn python+boto3", 4, (sys.executable, "-c", client), scale.singles // SLOW_STARTS),
        ("warm lines, shell", 16, _lines("sh", str(home / "worker.sh")), scale.messages),
        ("warm lines, python", 16, python, scale.messages),
        ("warm lines, python, batch 10", 4, _batch(10, python), scale.messages),
        ("warm lines, node", 16, _lines("node", str(home / "worker.cjs")), scale.messages),
        ("warm lambda", 16, function, scale.messages),
        ("warm lambda, batch 10", 4, _batch(10, function), scale.messages),
        ("warm lambda, batch 100", 4, _batch(100, function), scale.messages),
    ):
        yield Contender(name=name, words=ours(width, words), count=count)


def _lines(*command: str) -> tuple[str, ...]:
    return ("--warm", "lines", *command)


def _function(home: Path, handler: str = "app.handler") -> tuple[str, ...]:
    runtime = ("env", f"PYTHONPATH={home}", sys.executable, "-m", "awslambdaric", handler)
    return ("--warm", "lambda", *runtime)


def _batch(size: int, words: tuple[str, ...]) -> tuple[str, ...]:
    return ("--batch-size", str(size), *words)


def _rivals(home: Path, scale: Scale) -> Iterator[Contender]:
    count = scale.rival_messages
    if (home / "node_modules").exists():
        for kind, name in (("message", "handleMessage"), ("batch", "handleMessageBatch")):
            words = ["node", str(home / "handlers.mjs"), "{queue}", kind]
            yield Contender(name=f"sqs-consumer, {name}", words=words, count=count)
    if python := add_python(home):
        for name, file in (
            ("celery, prefork 2", "celery_consumer.py"),
            ("taskiq-aio-sqs", "taskiq_consumer.py"),
        ):
            program = [str(python), str(RIVALS / file)]
            body = subprocess.run([*program, "--body"], check=True, capture_output=True, text=True)
            yield Contender(
                name=name, words=[*program, "{queue}"], count=count, body=body.stdout.strip()
            )
