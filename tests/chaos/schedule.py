"""Replicas of `watchbot schedule` that are killed, on an ECS that throttles and loses answers.

`python -m tests.chaos.schedule [REPLICAS JOBS KILLS]`: 4, 40 and 40, if not told otherwise.
"""

import contextlib
import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import requests

from tests.cloud import BIN
from tests.fake_ecs import FakeEcs
from tests.postgres import PostgresServer, running_postgres

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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Talk)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """What a storm has cost. `gaps`: seconds that are not in the ledger at all."""

    runs: int
    killed: int
    duplicates: int
    lost: int
    gaps: int
    unsettled: int
    lag_median_s: float
    lag_p99_s: float


class Replicas:
    """Processes of `watchbot schedule` on one database."""

    def __init__(self, database: str, ecs_url: str, count: int) -> None:
        self._words = [str(BIN / "watchbot"), "schedule", "--port", "0", "--database", database]
        self._environment = {
            "AWS_ENDPOINT_URL": ecs_url,
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
        """The one with which jobs are written: the URL of its API."""
        process = subprocess.Popen(
            self._words, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        line = next(line for line in process.stdout if "serving the API" in line)
        self._output = process.stdout
        self._reader = threading.Thread(target=self._output.read)  # else it would wait for us
        self._reader.start()
        return line.rpartition("url=")[2].strip(), process


def storm(postgres: PostgresServer, *, replicas: int, jobs: int, kills: int, seed: int) -> Toll:
    """Kills a replica after each `RUNS` runs; then waits until all that was due is settled."""
    chance, ecs, database = random.Random(seed), Ecs(seed), postgres.new_database()
    with serving(ecs) as ecs_url:
        running = Replicas(database, ecs_url, replicas)
        try:
            for number in range(jobs):
                job = {"id": f"j{number}", "schedule": "*", "overlap": "allow"}
                requests.post(f"{running.url}/jobs", json=job, timeout=30).raise_for_status()
            with psycopg.connect(database, autocommit=True) as connection:
                for kill in range(kills):
                    _wait(connection, "status = 'started'", (kill + 1) * RUNS)
                    running.kill_one(chance)
                connection.execute("UPDATE schedule_job SET next_fire_at = NULL")
                _wait(connection, "wake_at IS NULL", _count(connection, "TRUE"))
        finally:
            running.stop()
        with psycopg.connect(database) as connection:
            return _toll(connection, ecs.fake, running.killed)


def _wait(connection: psycopg.Connection[Any], where: str, count: int) -> None:
    """Returns when so many runs are as told."""
    deadline = time.monotonic() + HANG_S
    while _count(connection, where) < count:
        assert time.monotonic() < deadline, f"{count} runs were never {where}"
        time.sleep(0.1)


def _count(connection: psycopg.Connection[Any], where: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM schedule_run WHERE {where}".encode())
    row = found.fetchone()
    assert row
    return int(row[0])


def _toll(connection: psycopg.Connection[Any], ecs: FakeEcs, killed: int) -> Toll:
    rows = connection.execute(
        "SELECT job_id, due_at, extract(epoch FROM started_at - due_at) FROM schedule_run "
        "WHERE status = 'started'"
    ).fetchall()
    due = {(job_id, int(due_at.timestamp() * 1000)) for job_id, due_at, _ in rows}
    # wb/JOB/MILLISECONDS/s
    tasks = Counter(tuple(task["startedBy"].split("/")[1:3]) for task in ecs.tasks.values())
    lags = sorted(float(lag) for _, _, lag in rows)
    return Toll(
        runs=len(due),
        killed=killed,
        duplicates=sum(count - 1 for count in tasks.values()),
        lost=sum((job_id, str(stamp)) not in tasks for job_id, stamp in due),
        gaps=_gaps(connection),
        unsettled=_count(connection, "status NOT IN ('started', 'missed')"),
        lag_median_s=lags[len(lags) // 2],
        lag_p99_s=lags[int(len(lags) * 0.99)],
    )


def _gaps(connection: psycopg.Connection[Any]) -> int:
    rows = connection.execute("SELECT job_id, due_at FROM schedule_run ORDER BY 1, 2").fetchall()
    gaps = 0
    for _, group in itertools.groupby(rows, key=lambda row: row[0]):
        moments: list[datetime] = [due_at for _, due_at in group]
        steps = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
        gaps += sum(round(step) - 1 for step in steps)
    return gaps


if __name__ == "__main__":
    replicas, jobs, kills = map(int, sys.argv[1:4] or (4, 40, 40))
    with running_postgres() as server:
        toll = storm(server, replicas=replicas, jobs=jobs, kills=kills, seed=1)
    sys.stdout.write(f"{toll}\n")
