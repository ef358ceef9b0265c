"""`watchbot record` and `watchbot tasks`, as a user runs them."""

import csv
import io
import json
import re
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from examples.record.lives import Life, lives
from tests.support.cloud import Cloud
from tests.support.postgres import PASSWORD, running_postgres
from tests.support.programs import assert_refused, read_until


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ecs.db"


@pytest.fixture
def made(cloud: Cloud, database: str) -> list[Life]:
    """Made-up lives that were recorded."""
    found = [life for life in lives(60, hours=24, end=datetime.now(UTC)) if life.events]
    queue = cloud.queue("lives")
    cloud.send_many(queue, [json.dumps(event) for life in found for event in life.events])
    done = cloud.watchbot(
        "record", "-sqs", queue, "--postgres", database, "--exit-when-empty", "--poll-wait", "1"
    )
    assert done.returncode == 0, done.stderr
    assert cloud.depth(queue) == (0, 0)
    return found


def answer(cloud: Cloud, database: str, *words: str) -> list[dict[str, str]]:
    done = cloud.watchbot("tasks", *words, "--database", database, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_flags_of_the_old_recorder_may_have_two_dashes(cloud: Cloud) -> None:
    queue = cloud.queue("two-dashes")
    (life, *_) = [life for life in lives(60, hours=24, end=datetime.now(UTC)) if life.events]
    cloud.send_many(queue, [json.dumps(event) for event in life.events])
    with running_postgres() as server:
        place = server.new_database()
        done = cloud.watchbot(
            "record", "--sqs", queue, "--postgres", place, "--exit-when-empty", "--poll-wait", "1"
        )
        history = answer(cloud, place, "history", life.arn)

    assert done.returncode == 0, done.stderr
    assert len(history) == len(life.events)
    assert cloud.depth(queue) == (0, 0)


def test_the_answers_are_true(cloud: Cloud, database: str, made: list[Life]) -> None:
    then = datetime.now(UTC)
    moment = max(life.started_at for life in made if life.started_at)
    ran = {
        life.arn
        for life in made
        if life.started_at and life.started_at <= moment <= (life.stopped_at or then)
    }
    now = {life.arn for life in made if life.started_at and life.stopped_at is None}
    failed = [life for life in made if life.outcome in ("failed", "failed_to_start")]

    assert {row["task_arn"] for row in answer(cloud, database, "running")} == now
    rows = answer(cloud, database, "at", moment.isoformat())
    assert {row["task_arn"] for row in rows} == ran
    rows = answer(cloud, database, "failures", "--by", "family", "--since", "2d")
    counts = {row["family"]: int(row["failed"]) for row in rows}
    assert counts["import-orders"] == sum(life.family == "import-orders" for life in failed)
    one = failed[0]
    (row,) = answer(cloud, database, "outcome", one.arn.rpartition("/")[2])
    assert row["outcome"] in (one.outcome, "unknown")  # nobody said which are essential
    assert len(answer(cloud, database, "history", one.arn)) == len(one.events)
    assert answer(cloud, database, "missed") == []


def test_filters_narrow_the_answer(cloud: Cloud, database: str, made: list[Life]) -> None:
    rows = answer(cloud, database, "running", "--service", "web", "--cluster", "production")

    assert {row["task_arn"] for row in rows} == {
        life.arn
        for life in made
        if life.started_at and not life.stopped_at
        if life.family == "web" and "task/production/" in life.arn
    }


@pytest.mark.usefixtures("made")
def test_list_goes_on_behind_a_task(cloud: Cloud, database: str) -> None:
    whole = answer(cloud, database, "at", "6h")
    rest = answer(cloud, database, "at", "6h", "--after", whole[1]["task_arn"])

    assert rest == whole[2:]


@pytest.mark.usefixtures("made")
def test_table_and_csv(cloud: Cloud, database: str) -> None:
    table = cloud.watchbot("tasks", "running", "--database", database)
    listed = cloud.watchbot("tasks", "running", "--database", database, "--csv")

    assert table.stdout.split()[:3] == ["task_id", "cluster", "family"]
    rows = list(csv.DictReader(io.StringIO(listed.stdout)))
    assert len(rows) == len(table.stdout.splitlines()) - 1


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["failures", "--by", "family"], "family failed ended"),
        (["history"], "version event_time last_status desired_status source received_at"),
        (
            ["outcome"],
            "task_id cluster family outcome last_status started_at ended_at stop_code "
            "stopped_reason",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_table_has_the_whole_answer(
    cloud: Cloud, database: str, made: list[Life], words: list[str], columns: str
) -> None:
    which = [] if words[0] == "failures" else [made[0].arn]

    table = cloud.watchbot("tasks", *words, *which, "--database", database)

    assert table.stdout.splitlines()[0].split() == columns.split()


def test_stop_releases_nothing_and_exits_zero(cloud: Cloud, database: str) -> None:
    queue = cloud.queue("stop")

    with cloud.started(
        "record", "--queue-url", queue, "--database", database, "--poll-wait", "1"
    ) as recorder:
        read_until(recorder, "started")
        recorder.send_signal(signal.SIGTERM)

        assert recorder.wait(timeout=20) == 0


def test_health_and_metrics(cloud: Cloud, database: str) -> None:
    queue = cloud.queue("healthy")
    cloud.send(queue, "no event")
    with cloud.started(
        "record", "--queue-url", queue, "--database", database, "--poll-wait", "1",
        "--metrics-host", "127.0.0.1", "--metrics-port", "0",
    ) as recorder:  # fmt: skip
        said = read_until(recorder, "rejected")
        (url,) = re.findall(r"url=(\S+)", said)
        health = requests.get(f"{url}/healthz", timeout=10)
        metrics = requests.get(f"{url}/metrics", timeout=10).text

    assert health.status_code == 200
    assert 'watchbot_record_events_total{kind="rejected"}' in metrics


def test_database_that_goes_away_and_comes_back(cloud: Cloud) -> None:
    queue = cloud.queue("patient")
    life = next(life for life in lives(60, hours=24, end=datetime.now(UTC)) if life.events)

    with running_postgres() as server:
        database = server.new_database()
        with cloud.started(
            "record", "--queue-url", queue, "--database", database, "--poll-wait", "1",
            "--metrics-host", "127.0.0.1", "--metrics-port", "0",
        ) as recorder:  # fmt: skip
            said = read_until(recorder, "started")
            (url,) = re.findall(r"url=(\S+)", said)
            server.kill()
            cloud.send_many(queue, [json.dumps(event) for event in life.events])
            read_until(recorder, "not written, trying again")
            away = [requests.get(f"{url}/{page}", timeout=10) for page in ("healthz", "readyz")]
            kept = sum(cloud.depth(queue))
            server.start()
            ends = time.monotonic() + 60
            while cloud.depth(queue) != (0, 0) and time.monotonic() < ends:
                time.sleep(0.05)  # a queue announces nothing
            back = [requests.get(f"{url}/{page}", timeout=10) for page in ("healthz", "readyz")]
        history = answer(cloud, database, "history", life.arn)

    assert [page.status_code for page in away] == [200, 503]
    assert f"127.0.0.1:{server.port}" in away[1].text
    assert PASSWORD not in away[1].text
    assert kept == len(life.events)  # none is deleted that is not written
    assert [page.status_code for page in back] == [200, 200]
    assert len(history) == len(life.events)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--database", "mysql://u:secret@h/d"], 2, "--database"),
        (["--database", "postgresql://u:secret@127.0.0.1:9/d"], 1, "127.0.0.1:9"),
        (["--database", "sqlite:////no/such/folder/ecs.db"], 1, "no directory /no/such/folder;"),
        (["--database", "sqlite:////proc/ecs.db"], 1, "the directory /proc cannot be written;"),
        (["--database", "sqlite:////dev/null/ecs.db"], 1, "/dev/null is no directory;"),
        (["--database", "sqlite:////tmp"], 1, "this is a directory, not a file;"),
        (["--batch", "0"], 2, "--batch"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_option(cloud: Cloud, options: list[str], code: int, said: str) -> None:
    queue = cloud.queue("kept")

    done = cloud.watchbot("record", "--queue-url", queue, *options)

    assert_refused(done, code, said)
    assert "secret" not in done.stderr


def test_queue_is_missing(cloud: Cloud, database: str) -> None:
    url = f"{cloud.url}/123456789012/nowhere"

    assert_refused(
        cloud.watchbot("record", "--queue-url", url, "--database", database), 1, "does not exist"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["running"], 1, "no such file; check the path"),
        (["at", "soon"], 2, "an age like 2h"),
    ],
    ids=["no record", "no time"],
)
def test_question_that_has_no_answer(
    cloud: Cloud, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    path = tmp_path / "none.db"

    assert_refused(cloud.watchbot("tasks", *words, "--database", f"sqlite:///{path}"), code, said)
    assert not path.exists()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("words", [["outcome", "nobody"], ["running", "--after", "nobody"]])
def test_task_that_is_not_known(cloud: Cloud, database: str, words: list[str]) -> None:
    done = cloud.watchbot("tasks", *words, "--database", database)

    assert_refused(done, 2, "'nobody'")
