"""Replicas of `watchbot schedule` that are killed, on an ECS that throttles and loses answers.

`python -m tests.chaos.schedule [postgres|dynamodb [REPLICAS JOBS KILLS]]`: in PostgreSQL, 4, 40
and 40, if not told otherwise.
"""

import contextlib
import functools
import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import psycopg
import requests

from tests.support.cloud import BIN, Cloud, running_cloud
from tests.support.fake_ecs import FakeEcs
from tests.support.postgres import running_postgres

RUNS = 20  # between two kills
HANG_S = 120
THROTTLED, LOST = 0.05, 0.10  # shares of the calls of RunTask


class Ecs:
    """An ECS on loopback that fails as told."""

    def __init__(self, seed: int) -> None:
        self.fake = FakeEcs()
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def answer(self, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Status and body; None: the answer is lost."""
        with self._lock:
            fate = self._chance.random() if operation == "run_task" else 1
            if fate < THROTTLED:
                return 400, {"__type": "ThrottlingException", "message": "slow down"}
            body = getattr(self.fake, f"_{operation}")(**given)
            return None if fate < THROTTLED + LOST else (200, body)


@contextlib.contextmanager
def serving(ecs: Ecs) -> Iterator[str]:
    """The URL of an ECS, while open."""

    class Talk(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            name = self.headers["x-amz-target"].rpartition(".")[2]
            operation = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = ecs.answer(operation, json.loads(body))
            if answer is None:
                self.close_connection = True
                return
            status, told = answer
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked was killed

    server = Server(("127.0.0.1", 0), Talk)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A run, as its store has it."""

    job_id: str
    due_at: datetime
    status: str
    started_at: datetime | None
    wake_at: object


class Books(Protocol):
    """A store, as somebody sees it who reads it past the scheduler."""

    url: str
    environment: Mapping[str, str]

    def runs(self) -> list[Booked]: ...

    def stop_jobs(self) -> None:
        """Has no job fire any more."""
        ...


class SqlBooks:
    """The books in a PostgreSQL database."""

    environment: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        self.url = url

    def runs(self) -> list[Booked]:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT job_id, due_at, status, started_at, wake_at FROM schedule_run"
            ).fetchall()
        names = ("job_id", "due_at", "status", "started_at", "wake_at")
        return [Booked(**dict(zip(names, row, strict=True))) for row in rows]

    def stop_jobs(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE schedule_job SET next_fire_at = NULL")


class TableBooks:
    """The books in a DynamoDB table."""

    def __init__(self, cloud: Cloud) -> None:
        self._dynamodb, self._name = cloud.dynamodb, f"schedule-{uuid.uuid4().hex}"
        self.url = f"dynamodb://{self._name}"
        self.environment: Mapping[str, str] = {"AWS_ENDPOINT_URL_DYNAMODB": cloud.url}

    def runs(self) -> list[Booked]:
        return [
            Booked(
                job_id=item["job_id"]["S"],
                due_at=datetime.fromisoformat(item["due_at"]["S"]),
                status=item["status"]["S"],
                started_at=datetime.fromisoformat(item["started_at"]["S"])
                if "started_at" in item
                else None,
                wake_at=item.get("at") if item.get("work") == {"S": "start"} else None,
            )
            for item in self._items()
            if "due_at" in item
        ]

    def stop_jobs(self) -> None:
        for item in self._items():
            if item["pk"]["S"] == "jobs":
                self._dynamodb.update_item(
                    TableName=self._name,
                    Key={"pk": item["pk"], "sk": item["sk"]},
                    UpdateExpression="REMOVE #work, #at",
                    ExpressionAttributeNames={"#work": "work", "#at": "at"},
                )

    def _items(self) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._name)
        return [item for page in pages for item in page["Items"]]


@contextlib.contextmanager
def a_database() -> Iterator[Books]:
    """An empty PostgreSQL."""
    with running_postgres() as server:
        yield SqlBooks(server.new_database())


@contextlib.contextmanager
def a_table() -> Iterator[Books]:
    """A table that is not there yet, in moto."""
    with running_cloud() as cloud:
        yield TableBooks(cloud)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """The losses of a storm. `gaps`: seconds that are missing in the ledger."""

    runs: int
    killed: int
    duplicates: int
    lost: int
    gaps: int
    unsettled: int
    lag_median_s: float
    lag_p99_s: float


class Replicas:
    """Processes of `watchbot schedule` on one store."""

    def __init__(self, books: Books, ecs_url: str, count: int) -> None:
        self._words = [str(BIN / "watchbot"), "schedule", "--port", "0", "--database", books.url]
        self._environment = {
            **books.environment,
            "AWS_ENDPOINT_URL_ECS": ecs_url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.killed = 0
        self.url, first = self._first()
        self._running = [first, *(self._start() for _ in range(count - 1))]

    def kill_one(self, chance: random.Random) -> None:
        """Kills one, and starts another in its place."""
        place = chance.randrange(len(self._running))
        self._running[place].kill()
        self._running[place].wait()
        self._running[place] = self._start()
        self.killed += 1

    def stop(self) -> None:
        for each in self._running:
            each.send_signal(signal.SIGTERM)
        for each in self._running:
            each.wait(timeout=60)
        self._reader.join()
        self._output.close()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._words,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _first(self) -> tuple[str, subprocess.Popen[str]]:
        """The URL of the API with which jobs are written."""
        process = subprocess.Popen(
            self._words, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        line = next(line for line in process.stdout if "serving the API" in line)
        self._output = process.stdout
        self._reader = threading.Thread(target=self._output.read)  # else it would wait for us
        self._reader.start()
        return line.rpartition("url=")[2].strip(), process


def storm(books: Books, *, replicas: int, jobs: int, kills: int, seed: int) -> Toll:
    """Kills a replica after each `RUNS` runs; then waits until all that was due is settled."""
    chance, ecs = random.Random(seed), Ecs(seed)
    with serving(ecs) as ecs_url:
        running = Replicas(books, ecs_url, replicas)
        try:
            for number in range(jobs):
                job = {"id": f"j{number}", "schedule": "*", "overlap": "allow"}
                requests.post(f"{running.url}/jobs", json=job, timeout=30).raise_for_status()
            for kill in range(kills):
                _wait(books, functools.partial(_have_started, (kill + 1) * RUNS))
                running.kill_one(chance)
            books.stop_jobs()
            _wait(books, lambda runs: all(run.wake_at is None for run in runs))
        finally:
            running.stop()
    return _toll(books.runs(), ecs.fake, running.killed)


def _wait(books: Books, done: Callable[[list[Booked]], bool]) -> None:
    """Returns when the runs are as told."""
    deadline = time.monotonic() + HANG_S
    while not done(runs := books.runs()):
        assert time.monotonic() < deadline, f"not done: {_started(runs)} of {len(runs)} started"
        time.sleep(0.1)  # a database announces nothing


def _have_started(count: int, runs: list[Booked]) -> bool:
    return _started(runs) >= count


def _started(runs: list[Booked]) -> int:
    return sum(run.status == "started" for run in runs)


def _toll(runs: list[Booked], ecs: FakeEcs, killed: int) -> Toll:
    due = {
        (run.job_id, round(run.due_at.timestamp() * 1000)): run.started_at - run.due_at
        for run in runs
        if run.status == "started" and run.started_at
    }
    # wb/JOB/MILLISECONDS/s
    tasks = Counter(tuple(task["startedBy"].split("/")[1:3]) for task in ecs.tasks.values())
    lags = sorted(lag.total_seconds() for lag in due.values())
    return Toll(
        runs=len(due),
        killed=killed,
        duplicates=sum(count - 1 for count in tasks.values()),
        lost=sum((job_id, str(stamp)) not in tasks for job_id, stamp in due),
        gaps=_gaps(runs),
        unsettled=sum(run.status not in ("started", "missed") for run in runs),
        lag_median_s=lags[len(lags) // 2],
        lag_p99_s=lags[int(len(lags) * 0.99)],
    )


def _gaps(runs: list[Booked]) -> int:
    ordered = sorted((run.job_id, run.due_at) for run in runs)
    gaps = 0
    for _, group in itertools.groupby(ordered, key=lambda run: run[0]):
        moments = [due_at for _, due_at in group]
        steps = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
        gaps += sum(round(step) - 1 for step in steps)
    return gaps


if __name__ == "__main__":
    replicas, jobs, kills = map(int, sys.argv[2:5] or (4, 40, 40))
    with a_database() if sys.argv[1:2] != ["dynamodb"] else a_table() as books:
        toll = storm(books, replicas=replicas, jobs=jobs, kills=kills, seed=1)
    sys.stdout.write(f"{toll}\n")
