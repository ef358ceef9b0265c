"""The pages of `watchbot schedule`, in a real browser, and their buttons."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.browser import chromium
from tests.support.cloud import Cloud
from tests.support.programs import read_until


@pytest.fixture(scope="module")
def url(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with jobs for every day, hour and second, and one that is paused."""
    path = tmp_path_factory.mktemp("schedule") / "schedule.db"
    queue = cloud.queue("paged")
    target = {"type": "sqs", "queueUrl": queue, "message": "<b>m</b>"}
    with cloud.started("schedule", "--port", "0", "--database", f"sqlite:///{path}") as process:
        (found,) = re.findall(r"API url=(\S+)", read_until(process, "serving the API"))
        for job_id, schedule in (
            ("daily", "@daily"),
            ("hourly", "@hourly"),
            ("busy", "* * * * * *"),
            ("paused", "@daily"),
        ):
            job: dict[str, Any] = {"id": job_id, "schedule": schedule, "dialect": "cron"}
            job |= {"target": target, "suspended": job_id == "paused"}
            made = requests.post(f"{found}/jobs", json=job, timeout=10)
            assert made.status_code == 201, made.text
        read_until(process, "run started job=busy")
        yield found


def test_week_in_a_browser(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "jobs.png"

    document = chromium(tmp_path / "profile", "--dump-dom", url)
    chromium(tmp_path / "profile", f"--screenshot={picture}", "--enable-logging=stderr", url)

    assert "4 jobs" in document
    # Seven days, 168 hours, one bar for what fires oftener, and the paused job's seven.
    assert document.count("<rect") == 7 + 168 + 1 + 7
    assert document.count("more than 400 times") == 1
    assert 'class="pill unknown">paused' in document
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_api_in_a_browser(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "api.png"

    document = chromium(tmp_path / "profile", "--dump-dom", f"{url}/page/api")
    chromium(tmp_path / "profile", f"--screenshot={picture}", f"{url}/page/api")

    contract = requests.get(f"{url}/spec", timeout=10).json()
    beyond = requests.get(f"{url}/v1/openapi.json", timeout=10).json()
    for prefix, described in (("", contract), ("/v1", beyond)):
        for path, methods in described["paths"].items():
            for method in methods.keys() - {"parameters"}:
                assert f"{method.upper()} <code>{prefix}{path}</code>" in document
                assert methods[method]["summary"] in document
    for field in contract["definitions"]["Job"]["properties"]:
        assert f"<code>{field}</code>" in document
    assert "<code>count</code></td><td>query</td><td>integer, min 1, max 1000</td>" in document
    assert "<code>dryRun</code></td><td>body</td><td>boolean</td>" in document
    assert "<script" not in document
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_buttons(url: str, tmp_path: Path) -> None:
    page = f"{url}/page/jobs/daily"
    same = {"origin": url}

    paused = requests.post(f"{page}/pause", headers=same, timeout=10)
    resumed = requests.post(f"{page}/resume", headers=same, timeout=10)
    ran = requests.post(f"{page}/run", headers=same, timeout=10)
    document = chromium(tmp_path / "profile", "--dump-dom", page)

    assert ">Resume</button>" in paused.text
    assert ">Pause</button>" in resumed.text
    assert "<td>manual</td>" in ran.text
    assert "&lt;b&gt;m&lt;/b&gt;" in document
    assert "<script" not in document


def test_button_cancels_a_run_that_waits(url: str) -> None:
    job: dict[str, Any] = {
        "id": "waits",
        "schedule": "* * * * * *",
        "jitter": 86_400,
        "taskDefinition": "t",
    }
    requests.post(f"{url}/jobs", json=job, timeout=10)
    asked = f"{url}/v1/jobs/waits/runs"
    while not (found := requests.get(asked, timeout=10).json()["runs"]):
        pass
    path = f"/page/jobs/waits/runs/{found[-1]['dueAt'].replace(':', '%3A')}/cancel"

    before = requests.get(f"{url}/page/jobs/waits", timeout=10).text
    after = requests.post(url + path, headers={"origin": url}, timeout=10)

    assert f'action="{path}"' in before
    assert after.status_code == 200
    assert f'action="{path}"' not in after.text
    assert "it was cancelled" in after.text


def test_button_on_another_site_does_nothing(url: str) -> None:
    foreign = {"origin": "http://evil.example"}

    pressed = requests.post(f"{url}/page/jobs/hourly/run", headers=foreign, timeout=10)

    assert pressed.status_code == 403
    assert "<h1>Not allowed</h1>" in pressed.text
    assert requests.get(f"{url}/v1/jobs/hourly/runs", timeout=10).json() == {"runs": []}


@pytest.mark.parametrize("due_at", ["soon", "0001-01-01T00:00:00+14:00"])
def test_run_of_no_time_cannot_be_cancelled(url: str, due_at: str) -> None:
    answer = requests.post(f"{url}/page/jobs/hourly/runs/{due_at}/cancel", timeout=10)

    assert (answer.status_code, "There is no run of this time" in answer.text) == (404, True)


def test_page_that_is_not_there(url: str) -> None:
    for path in ("/page/jobs/nobody", "/page/nothing", "/page/jobs/nobody/run"):
        answer = requests.get(url + path, timeout=10)
        assert answer.status_code == 404
        assert "<h1>Not here</h1>" in answer.text


def test_first_page_tells_what_failed_what_runs_and_what_comes(url: str) -> None:
    known = requests.get(f"{url}/v1/jobs/daily", timeout=10).json()["target"]
    lost = {**known, "queueUrl": known["queueUrl"].replace("paged", "gone")}
    retry = {"attempts": 1}
    zone = {"timezone": "Asia/Tokyo", "schedule": "0 9 * * *", "dialect": "cron"}
    job: dict[str, Any] = {"id": "lost", "target": lost, "retry": retry, **zone}
    made = requests.post(f"{url}/jobs", json=job, timeout=10)
    assert made.status_code == 201, made.text
    requests.post(f"{url}/v1/jobs/lost/run", timeout=10)
    for _ in range(400):
        asked = requests.get(f"{url}/v1/runs?failed=true&job=lost", timeout=10)
        if failed := asked.json()["runs"]:
            break
    first = requests.get(f"{url}/page", timeout=10).text
    shown = requests.get(f"{url}/page?show=failed&job=lost", timeout=10).text
    requests.delete(f"{url}/jobs/lost", timeout=10)

    assert (failed[0]["status"], failed[0]["timezone"]) == ("failed", "Asia/Tokyo")
    assert "1 failed or missed in 24 hours" in first
    assert 'class="pill active">started' in first
    assert "under way; next is" in first
    assert shown.count('class="pill failed">failed') >= 1
    assert 'class="pill active">started' not in shown.partition("jobs</h2>")[0]
    assert "09:00:00 Asia/Tokyo</time>" in first
    assert 'title="20' in first


def test_run_now_asks_first(url: str) -> None:
    page = requests.get(f"{url}/page/jobs/hourly/run", timeout=10).text

    assert "Run hourly now?" in page
    assert "at minute 0" in page or "every hour" in page
    assert requests.get(f"{url}/v1/jobs/hourly/runs", timeout=10).json() == {"runs": []}


def test_paused_job_shows_no_next_fires(url: str) -> None:
    page = requests.get(f"{url}/page/jobs/paused", timeout=10).text

    assert "none while it is paused" in page


@pytest.mark.parametrize("query", ["pgae=1", "page=-1", "page=one", "page=1234567"])
def test_wrong_query_of_a_page_is_refused(url: str, query: str) -> None:
    response = requests.get(f"{url}/page?{query}", timeout=10)

    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_query_of_a_jobs_page_is_refused(url: str) -> None:
    assert requests.get(f"{url}/page/jobs/daily?limit=3", timeout=10).status_code == 400
