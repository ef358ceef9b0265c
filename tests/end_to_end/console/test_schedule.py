"""The console's scheduled runs: what it shows, its buttons, and a scheduler that is away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.console import Person, console, text_of
from tests.support.schedule_api import Api, a_scheduler


@pytest.fixture(scope="module")
def api(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A scheduler, of which a run of `lost` failed and a message of `nightly` was sent."""
    path: Path = tmp_path_factory.mktemp("schedule") / "schedule.db"
    queue = cloud.queue("scheduled")
    with a_scheduler(cloud, f"sqlite:///{path}") as api:
        for job_id, address in (("nightly", queue), ("lost", queue.replace("scheduled", "gone"))):
            target: dict[str, Any] = {"type": "sqs", "queueUrl": address, "message": "<b>m</b>"}
            api.make(job_id, target=target)
            api("POST", f"/v1/jobs/{job_id}/run")
        for job_id, status in (("nightly", "started"), ("lost", "failed")):
            path_of = f"/v1/runs?job={job_id}&status={status}"
            assert any(api("GET", path_of).json()["runs"] for _ in range(400)), job_id
        yield api


@pytest.fixture(scope="module")
def ann(cloud: Cloud, api: Api) -> Iterator[Person]:
    with console(cloud, "--schedule", api.url) as url:
        yield Person(url)


def test_failed_runs_need_a_person(ann: Person) -> None:
    text = ann.look("/")

    assert "1 thing needs a person schedule lost: failed: " in text
    assert 'href="/schedule?show=failed&amp;job=lost"' in ann.get("/").text


def test_runs_of_all_jobs_are_shown_by_filter(ann: Person) -> None:
    everything = ann.get("/schedule").text
    failed = text_of(ann.get("/schedule?show=failed").text.partition('id="jobs"')[0])

    assert 'class="pill active">started' in everything
    assert 'class="pill failed">failed' in everything
    assert "manual failed" in failed
    assert "nightly" not in failed
    assert ann.get("/schedule?show=bad").status_code == 400


def test_buttons_act_and_are_noted(ann: Person, api: Api) -> None:
    sure = ann.get("/schedule/jobs/nightly/run").text
    before = len(api("GET", "/v1/jobs/nightly/runs").json()["runs"])
    ann.send("/schedule/jobs/nightly/run", "/schedule/jobs/nightly/run")
    after = len(api("GET", "/v1/jobs/nightly/runs").json()["runs"])
    paused = ann.send("/schedule", "/schedule/jobs/nightly/pause").text
    suspended = api.job("nightly")["suspended"]
    ann.send("/schedule", "/schedule/jobs/nightly/resume")
    audit = ann.look("/audit")

    assert "Run nightly now?" in sure
    assert after == before + 1
    assert suspended
    assert "nightly paused" in text_of(paused)
    assert "suspended" not in api.job("nightly") or not api.job("nightly")["suspended"]
    for deed in ("run job nightly 1", "pause job nightly 1", "resume job nightly 1"):
        assert f"somebody {deed}" in audit


def test_what_cannot_be_done_is_refused(ann: Person) -> None:
    before = ann.look("/audit")

    assert ann.send("/schedule", "/schedule/jobs/nobody/run").status_code == 502
    assert ann.send("/schedule", "/schedule/jobs/nightly/delete").status_code == 404
    assert ann.post("/schedule/jobs/nightly/run", {"ticket": "guessed"}).status_code == 409
    assert ann.look("/audit") == before


def test_scheduler_that_is_away_is_named(cloud: Cloud) -> None:
    with console(cloud, "--schedule", "http://127.0.0.1:9") as url:
        ann = Person(url)
        page, first = ann.look("/schedule"), ann.look("/")
        asked = ann.send(
            "/schedule/jobs/nightly/run", "/schedule/jobs/nightly/pause", reason="noisy"
        )
        audit = ann.look("/audit")
    with console(cloud) as url:
        none = Person(url).look("/schedule")

    assert "The scheduler is not seen: http://127.0.0.1:9: Connection refused" in page
    assert "not seen schedule: http://127.0.0.1:9: Connection refused" in first
    # Without an answer nobody knows whether it was done.
    assert asked.status_code == 502
    assert "somebody pause job nightly 1 noisy; http://127.0.0.1:9: Connection refused" in audit
    assert "Start the console with --schedule" in none
