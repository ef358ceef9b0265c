"""`watchbot schedule import`, from what ecs-scheduler and clockwork left behind."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.old_jobs import OLD, client, in_sqlite, put
from tests.support.programs import assert_refused


def in_s3(cloud: Cloud, _: Path) -> str:
    s3 = client(cloud, "s3")
    s3.create_bucket(Bucket="jobs")
    for job_id, fields in OLD.items():
        s3.put_object(Bucket="jobs", Key=f"old/{job_id}.json", Body=json.dumps(fields))
    s3.put_object(Bucket="jobs", Key="old/notes.txt", Body="x")
    s3.put_object(Bucket="jobs", Key="old/deeper/other.json", Body="{}")
    return "s3://jobs/old"


def in_dynamodb(cloud: Cloud, _: Path) -> str:
    put(
        cloud,
        "jobs",
        "job-id",
        *({"job-id": job_id, "json-data": json.dumps(each)} for job_id, each in OLD.items()),
    )
    return "dynamodb://jobs"


@pytest.fixture
def index() -> Iterator[str]:
    """An index of an Elasticsearch that answers searches."""

    class Talk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/old/_search"
            assert json.loads(self.rfile.read(int(self.headers["content-length"])))["size"]
            hits = [{"_id": job_id, "_source": fields} for job_id, fields in OLD.items()]
            body = json.dumps({"hits": {"hits": hits}}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Talk)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/old"
    server.shutdown()
    thread.join()
    server.server_close()


def taking(cloud: Cloud, folder: Path, source: str, *options: str) -> dict[str, str]:
    """The verdict on each job."""
    words = ["schedule", "import", "--source", source, "--database", f"sqlite:///{folder}/new.db"]
    done = cloud.watchbot(*words, *options)
    assert done.returncode == 1, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("kept", [in_sqlite, in_s3, in_dynamodb])
def test_jobs_of_ecs_scheduler(
    cloud: Cloud, tmp_path: Path, kept: Callable[[Cloud, Path], str]
) -> None:
    verdicts = taking(cloud, tmp_path, kept(cloud, tmp_path))

    assert set(verdicts) == set(OLD)
    assert verdicts["nightly"] == verdicts["queue"] == "imported"
    assert "a schedule cannot be empty" in verdicts["blank"]


def test_jobs_in_elasticsearch(cloud: Cloud, tmp_path: Path, index: str) -> None:
    verdicts = taking(cloud, tmp_path, index)

    assert verdicts["nightly"] == verdicts["queue"] == "imported"
    assert "a schedule cannot be empty" in verdicts["blank"]


def test_jobs_in_a_file(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    jobs = [*({"id": job_id, **fields} for job_id, fields in OLD.items()), 7, {"schedule": "0"}]
    path.write_text(json.dumps(jobs))

    verdicts = taking(cloud, tmp_path, str(path))

    assert verdicts["nightly"] == verdicts["queue"] == "imported"
    assert "a schedule cannot be empty" in verdicts["blank"]
    assert verdicts["job 4"] == "it is no JSON object"
    assert "neither id" in verdicts["job 5"]


def test_import_may_be_tried_and_done_again(cloud: Cloud, tmp_path: Path) -> None:
    source = in_sqlite(cloud, tmp_path)

    dry = taking(cloud, tmp_path, source, "--dry-run")
    done = taking(cloud, tmp_path, source)
    again = taking(cloud, tmp_path, source)

    assert dry["queue"] == "would be imported"
    assert done == {**dry, "nightly": "imported", "queue": "imported"}
    assert again == {**dry, "nightly": "unchanged", "queue": "unchanged"}


def test_import_leaves_a_job_that_differs_and_says_so(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    job = {"id": "report", "schedule": "0 0 * * * *", "taskDefinition": "report"}
    words = ["schedule", "import", "--source", str(path), "--database"]
    words.append(f"sqlite:///{tmp_path}/new.db")

    path.write_text(json.dumps([job]))
    first, again = cloud.watchbot(*words), cloud.watchbot(*words)
    path.write_text(json.dumps([{**job, "taskDefinition": "other"}]))
    differs = cloud.watchbot(*words)

    assert (first.returncode, first.stdout) == (0, "report: imported\n"), first.stderr
    assert (again.returncode, again.stdout) == (0, "report: unchanged\n")
    assert differs.returncode == 1
    assert differs.stdout.startswith(
        "report: not imported: a job with this name exists, with other"
    )


def test_schedules_of_clockwork(cloud: Cloud, tmp_path: Path) -> None:
    row = {
        "name": "report",
        "definition_arn": "arn:aws:ecs:us-east-1:123456789012:task-definition/report:3",
        "ecs_cluster_arn": "arn:aws:ecs:us-east-1:123456789012:cluster/blue",
    }
    put(
        cloud,
        "clockwork",
        "id",
        {"id": "0b7e", "cron_time": "0 0 13 * 5", **row},
        {"id": "1c8f", "cron_time": "*/0 * * * *", **row},
    )
    path = tmp_path / "new.db"

    done = cloud.watchbot(
        "schedule", "import", "--source", "dynamodb://clockwork", "--database", f"sqlite:///{path}"
    )

    assert "0b7e: imported" in done.stdout
    assert "1c8f: {" in done.stdout
    with closing(sqlite3.connect(path)) as connection:
        ((text,),) = connection.execute("SELECT fields FROM schedule_job").fetchall()
    assert json.loads(text) == {
        "id": "0b7e",
        "dialect": "cron",
        "schedule": "0 0 13 * 5",
        "taskDefinition": row["definition_arn"],
        "cluster": row["ecs_cluster_arn"],
        "overlap": "allow",
    }


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("ftp://x", 2, "--source"),
        ("nowhere.json", 2, "--source"),
        ("/dev/null", 2, "--source"),
        ("http://me:secret@127.0.0.1:9/old", 1, "no answer of Elasticsearch"),
        ("sqlite:////no/such.db", 1, "no such file"),
        ("dynamodb://nowhere", 1, "ResourceNotFound"),
    ],
)
def test_source_that_cannot_be_read(
    cloud: Cloud, tmp_path: Path, source: str, code: int, said: str
) -> None:
    database = f"sqlite:///{tmp_path}/new.db"

    done = cloud.watchbot("schedule", "import", "--source", source, "--database", database)

    assert_refused(done, code, said)
    assert "secret" not in done.stderr


def test_source_that_cannot_be_read_is_named_once(cloud: Cloud, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("dear diary")
    words = ["schedule", "import", "--database", f"sqlite:///{tmp_path}/new.db", "--source"]

    missing, other = cloud.watchbot(*words, "/no/such.json"), cloud.watchbot(*words, str(text))

    assert (missing.returncode, other.returncode) == (2, 2)
    assert missing.stderr.endswith("cannot read '/no/such.json': No such file or directory\n")
    assert f"cannot read '{text}': it is no JSON (" in other.stderr
