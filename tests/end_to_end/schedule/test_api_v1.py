"""What the REST API has under /v1, which ecs-scheduler had not."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until
from tests.support.schedule_api import Api


def test_who_has_it_already_is_told_so(api: Api) -> None:
    api.make("j")
    tag = api("GET", "/jobs/j").headers["etag"]

    same = api("GET", "/jobs/j", if_none_match=tag)

    assert (same.status_code, same.content) == (304, b"")
    assert "etag" in api("GET", "/jobs").headers


def test_change_of_what_has_changed_is_refused(api: Api) -> None:
    api.make("j")
    tag = api("GET", "/jobs/j").headers["etag"]

    first = api("PUT", "/jobs/j", {"taskCount": 2}, if_match=tag)
    second = api("PUT", "/jobs/j", {"taskCount": 3}, if_match=tag)
    removed = api("DELETE", "/jobs/j", if_match=tag)

    assert [answer.status_code for answer in (first, second, removed)] == [200, 412, 412]
    assert api.job("j")["taskCount"] == 2


def test_next_fires(api: Api) -> None:
    api.make("j", schedule="0 9 * * 1-5", dialect="cron", timezone="Europe/Berlin")

    fires = api("GET", "/v1/jobs/j/fires?count=3&after=2026-11-20T12:00:00Z").json()["fires"]
    question = {"schedule": "0 9 * * 1-5", "dialect": "cron", "after": "2026-11-20T12:00:00Z"}
    preview = api("POST", "/v1/fires", {**question, "timezone": "Europe/Berlin", "count": 3})

    assert fires == [f"2026-11-{day}T08:00:00.000Z" for day in (23, 24, 25)]
    assert preview.json()["fires"] == fires


def test_pause_with_a_note_and_resume(api: Api) -> None:
    api.make("j")

    paused = api("POST", "/v1/jobs/j/pause", {"note": "until the move"}).json()
    asked = api("GET", "/v1/jobs/j/fires").json()
    resumed = api("POST", "/v1/jobs/j/resume").json()

    assert paused["suspended"]
    assert asked["note"] == "until the move"
    assert asked["paused"]
    assert not resumed["suspended"]
    assert "estimatedNextRun" in resumed


def test_backfill_shows_or_runs_the_past(api: Api) -> None:
    api.make("j", schedule="@hourly", taskDefinition="t")
    past = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T03:00:00Z"}

    dry = api("POST", "/v1/jobs/j/backfill", {**past, "dryRun": True})
    none = api("GET", "/v1/jobs/j/runs").json()
    wet = api("POST", "/v1/jobs/j/backfill", past)
    again = api("POST", "/v1/jobs/j/backfill", past)
    runs = api("GET", "/v1/jobs/j/runs").json()["runs"]

    assert len(dry.json()["fires"]) == 4
    assert none == {"runs": []}
    assert wet.json()["fires"] == dry.json()["fires"]
    assert again.json()["fires"] == []
    assert [run["cause"] for run in runs] == ["backfill"] * 4


def test_backfill_is_watched_and_cancelled(api: Api) -> None:
    api.make("filled", schedule="@hourly", taskDefinition="none-such", retry={"attempts": 20})
    past = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T03:00:00Z", "concurrency": 0}

    refused = api("POST", "/v1/jobs/filled/backfill", past)
    api("POST", "/v1/jobs/filled/backfill", {**past, "concurrency": 2})
    api("POST", "/v1/jobs/filled/backfill/cancel")
    told = api("GET", "/v1/jobs/filled/backfill").json()
    late = api("POST", "/v1/jobs/filled/runs/2026-01-01T05:00:00Z/cancel")

    assert refused.status_code == 400
    assert told["total"] == 4
    assert late.status_code == 404
    assert "no run of 2026-01-01T05:00:00.000Z" in late.json()["message"]


def test_one_run_is_cancelled(api: Api) -> None:
    api.make("later", schedule="* * * * * *", jitter=86_400, taskDefinition="t")
    while not (found := api("GET", "/v1/jobs/later/runs").json()["runs"]):
        pass  # it fires each second; its runs wait for hours
    due_at = found[-1]["dueAt"]

    cancelled = api("POST", f"/v1/jobs/later/runs/{due_at}/cancel")
    again = api("POST", f"/v1/jobs/later/runs/{due_at}/cancel")
    bad = api("POST", "/v1/jobs/later/runs/soon/cancel")
    run = api("GET", "/v1/jobs/later/runs?limit=1000").json()["runs"][-1]

    assert (cancelled.status_code, cancelled.json()["cancelled"]) == (200, 1)
    assert (again.status_code, bad.status_code) == (409, 400)
    assert (run["status"], run["reason"]) == ("skipped", "it was cancelled")


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("/v1/jobs/j/backfill", {}, 400, "start"),
        ("/v1/jobs/j/backfill", {"start": "x", "end": "y"}, 400, "start"),
        (
            "/v1/jobs/j/backfill",
            {"start": "1990-01-01T00:00:00Z", "end": "2020-01-01T00:00:00Z"},
            400,
            "more than 1000",
        ),
        ("/v1/jobs/j/fires?count=0", None, 400, "count"),
        ("/v1/fires", {"schedule": "99"}, 400, "schedule"),
        ("/v1/jobs/none/runs", None, 404, "none"),
        ("/v1/jobs/none/run", {}, 404, "none"),
        ("/v1/jobs/j/pause", b"x" * 70_000, 413, "65536"),
    ],
)
def test_bad_requests_of_v1(api: Api, path: str, body: Any, status: int, named: str) -> None:
    api.make("j", schedule="@hourly")

    got = api("GET" if body is None else "POST", path, body)

    assert got.status_code == status, got.text
    assert named in got.text


def test_token_is_asked_for(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.started(
        "schedule", "--port", "0", "--database", f"sqlite:///{tmp_path}/s.db", "--token", "s3cret"
    ) as process:
        said = read_until(process, "serving the API")
        (url,) = re.findall(r"url=(\S+)", said)
        nobody = requests.get(f"{url}/jobs", timeout=10)
        somebody = requests.get(
            f"{url}/jobs", headers={"authorization": "Bearer s3cret"}, timeout=10
        )

    assert (nobody.status_code, somebody.status_code) == (401, 200)
    assert "s3cret" not in said
