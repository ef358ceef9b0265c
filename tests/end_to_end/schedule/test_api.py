"""The REST API as ecs-scheduler had it, and what is mended in it; then what is new."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

JSON = {"content-type": "application/json"}
NEVER_SOON = "0 0 0 * * 1 1 2190"


class Api:
    """A `watchbot schedule` that runs, by HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named = {**JSON, **named}
        data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
        return requests.request(method, self.url + path, data=data, headers=named, timeout=10)

    def make(self, job_id: str, **fields: Any) -> None:
        made = self("POST", "/jobs", {"id": job_id, "schedule": NEVER_SOON, **fields})
        assert made.status_code == 201, made.text

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self("GET", f"/jobs/{job_id}").json()
        return found


@pytest.fixture(scope="module")
def server(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("schedule") / "schedule.db"
    with cloud.started(
        "schedule", "--port", "0", "--database", f"sqlite:///{path}", "--cluster", "none"
    ) as process:
        said = read_until(process, "serving the API")
        (url,) = re.findall(r"url=(\S+)", said)
        yield url


@pytest.fixture
def api(server: str) -> Api:
    api = Api(server)
    while jobs := api("GET", "/jobs?count=1000").json()["jobs"]:
        for job in jobs:
            api("DELETE", f"/jobs/{job['id']}")
    return api


def link(job_id: str) -> dict[str, str]:
    return {"rel": "item", "title": f"Job for {job_id}", "href": f"/jobs/{job_id}"}


def test_root_names_what_there_is(api: Api) -> None:
    assert api("GET", "/").json() == {
        "resources": [
            {"link": {"rel": "jobs", "title": "Jobs", "href": "/jobs"}},
            {"link": {"rel": "spec", "title": "Spec", "href": "/spec"}},
        ]
    }


def test_spec_is_swagger_and_openapi_tells_of_v1(api: Api) -> None:
    spec = api("GET", "/spec").json()
    openapi = api("GET", "/v1/openapi.json").json()

    assert spec["swagger"] == "2.0"
    assert spec["info"]["title"] == "ECS Scheduler Web Api (webapi)"
    assert spec["basePath"] == "/"
    assert {"/jobs", "/jobs/{jobId}"} <= set(spec["paths"])
    assert "/jobs/{job_id}/run" in openapi["paths"]


BAD_JSON = "The browser (or proxy) sent a request that this server could not understand."
NO_TYPE = "Header Content-Type: application/json required to send a request body."
MISSING = ["Missing data for required field."]
NO_OBJECT = {"messages": {"_schema": ["Invalid input type."]}}
NONE = {"message": "Job none does not exist."}
PAST = ["It would never fire: all its times are past."]
EMPTY = ["a schedule cannot be empty"]

# By name: method, path, body, headers; then status and, where it is word for word, answer.
Asked = tuple[str, str, Any, dict[str, str]]
CONTRACT: dict[str, tuple[Asked, int, Any]] = {
    "made": (
        ("POST", "/jobs", {"id": "n", "schedule": "0 0 12"}, {}),
        201,
        {"id": "n", "link": link("n")},
    ),
    "named by its task": (
        ("POST", "/jobs", {"taskDefinition": "t", "schedule": "0"}, {}),
        201,
        {"id": "t", "link": link("t")},
    ),
    "taken": (
        ("POST", "/jobs", {"id": "j", "schedule": "0"}, {}),
        409,
        {"message": "Job j already exists."},
    ),
    "no type": (
        ("POST", "/jobs", b"{}", {"content_type": "text/plain"}),
        415,
        {"message": NO_TYPE},
    ),
    "type with a charset": (
        (
            "POST",
            "/jobs",
            b'{"id": "n", "schedule": "0"}',
            {"content_type": "application/json; charset=utf-8"},
        ),
        201,
        None,
    ),
    "no JSON": (("POST", "/jobs", b"{", {}), 400, {"message": BAD_JSON}),
    "no UTF-8": (("POST", "/jobs", b'{"id": "\xff"}', {}), 400, {"message": BAD_JSON}),
    "NaN": (("POST", "/jobs", b'{"taskCount": NaN}', {}), 400, {"message": BAD_JSON}),
    "nested deep": (("POST", "/jobs", b"[" * 60_000, {}), 400, {"message": BAD_JSON}),
    "too large": (
        ("POST", "/jobs", b" " * 65_537, {}),
        413,
        {"message": "A body has 65536 bytes at most."},
    ),
    "list": (("POST", "/jobs", [], {}), 400, NO_OBJECT),
    "text": (("POST", "/jobs", '"x"', {}), 400, NO_OBJECT),
    "null": (("POST", "/jobs", "null", {}), 400, NO_OBJECT),
    "nothing in it": (
        ("POST", "/jobs", {}, {}),
        400,
        {
            "messages": {
                "taskDefinition": MISSING,
                "schedule": MISSING,
                "parsedSchedule": MISSING,
            }
        },
    ),
    "slip": (
        ("POST", "/jobs", {"id": "n", "schedule": "0", "timeZone": "UTC"}, {}),
        400,
        {"messages": {"timeZone": ["Unknown field. The nearest known one is timezone."]}},
    ),
    "slip of a change": (
        ("PUT", "/jobs/j", {"enabled": False}, {}),
        400,
        {"messages": {"enabled": ["Unknown field. The nearest known one is suspended."]}},
    ),
    "slip in the address": (
        ("GET", "/jobs?cuont=5", None, {}),
        400,
        {"messages": {"cuont": ["Unknown field. The nearest known one is count."]}},
    ),
    "all that is wrong in the address": (
        ("GET", "/jobs?skip=x&count=y", None, {}),
        400,
        {"messages": {key: ["Not a valid integer."] for key in ("skip", "count")}},
    ),
    "no schedule": (
        ("POST", "/jobs", {"id": "n"}, {}),
        400,
        {"messages": {"schedule": MISSING, "parsedSchedule": MISSING}},
    ),
    "too many tasks": (
        ("POST", "/jobs", {"id": "n", "schedule": "0", "taskCount": 51}, {}),
        400,
        {"messages": {"taskCount": ["Must be between 1 and 50."]}},
    ),
    "no time zone": (
        ("POST", "/jobs", {"id": "n", "schedule": "0", "timezone": "X"}, {}),
        400,
        {"messages": {"timezone": ["Invalid timezone format: X"]}},
    ),
    "trigger without queue": (
        ("POST", "/jobs", {"id": "n", "schedule": "0", "trigger": {"type": "sqs"}}, {}),
        400,
        {"messages": {"trigger": {"_schema": ["sqs trigger type requires queueName field"]}}},
    ),
    "read what is not there": (("GET", "/jobs/none", None, {}), 404, NONE),
    "change what is not there": (("PUT", "/jobs/none", {}, {}), 404, NONE),
    "type counts before 404": (
        ("PUT", "/jobs/none", b"{}", {"content_type": "text/plain"}),
        415,
        {"message": NO_TYPE},
    ),
    "remove what is not there": (("DELETE", "/jobs/none", None, {}), 404, NONE),
    "change": (("PUT", "/jobs/j", {"taskCount": 2}, {}), 200, {"id": "j", "link": link("j")}),
    "change to what is wrong": (
        ("PUT", "/jobs/j", {"taskCount": 0}, {}),
        400,
        {"messages": {"taskCount": ["Must be between 1 and 50."]}},
    ),
    "blank schedule": (
        ("PUT", "/jobs/j", {"schedule": ""}, {}),
        400,
        {"messages": {"schedule": EMPTY, "parsedSchedule": EMPTY}},
    ),
    "all its times are past": (
        ("POST", "/jobs", {"id": "n", "schedule": "at(2001-01-01T00:00:00)"}, {}),
        400,
        {"messages": {"schedule": PAST, "parsedSchedule": PAST}},
    ),
    "its end is past": (
        ("PUT", "/jobs/j", {"scheduleEnd": "2001-01-01T00:00:00Z"}, {}),
        400,
        {"messages": {"schedule": PAST, "parsedSchedule": PAST}},
    ),
    "remove": (("DELETE", "/jobs/j", None, {}), 200, {"id": "j"}),
    "no such path": (("GET", "/nothing", None, {}), 404, {"message": "Not Found"}),
    "no such method": (("PATCH", "/jobs", None, {}), 405, {"message": "Method Not Allowed"}),
    "skip is no number": (
        ("GET", "/jobs?skip=x", None, {}),
        400,
        {"messages": {"skip": ["Not a valid integer."]}},
    ),
    "of another site": (
        ("POST", "/jobs", {"id": "n", "schedule": "0"}, {"origin": "http://evil.example"}),
        403,
        None,
    ),
}


@pytest.mark.parametrize(("asked", "status", "answer"), CONTRACT.values(), ids=CONTRACT)
def test_contract(api: Api, asked: Asked, status: int, answer: Any) -> None:
    api.make("j")
    method, path, body, headers = asked

    got = api(method, path, body, **headers)

    assert got.status_code == status, got.text
    assert answer is None or got.json() == answer


def test_job_is_shown_as_it_was_written(api: Api) -> None:
    written = {
        "taskDefinition": "t",
        "scheduleStart": "2100-01-02T03:04:05",
        "timezone": "Europe/Berlin",
        "trigger": {"type": "sqs", "queueName": "q", "messagesPerTask": 5},
        "overrides": [{"containerName": "c", "environment": {"A": "b"}}],
    }
    api.make("j", **written, parsedSchedule={"hour": 5}, lastRun="x")

    found = api.job("j")
    del found["nextFires"]
    assert found == {
        **written,
        "id": "j",
        "schedule": NEVER_SOON,
        "scheduleStart": "2100-01-02T03:04:05+00:00",
        "taskCount": 1,
        "link": link("j"),
        "scheduleReads": "on the 1st of the month in January in 2190 at 00:00 Europe/Berlin",
        "estimatedNextRun": "2189-12-31T23:00:00+00:00",
    }


def test_null_unsets_a_field(api: Api) -> None:
    api.make("j", maxCount=3, trigger={"type": "sqs", "queueName": "q"}, suspended=True)

    api("PUT", "/jobs/j", {"maxCount": None, "trigger": None, "suspended": None})

    assert not {"maxCount", "trigger", "suspended"} & api.job("j").keys()


def test_id_does_not_change(api: Api) -> None:
    api.make("j")

    api("PUT", "/jobs/j", {"id": "other", "taskCount": 2})

    assert api.job("j")["taskCount"] == 2
    assert api("GET", "/jobs/other").status_code == 404


def test_question_marks_are_chosen_when_written(api: Api) -> None:
    api.make("j", schedule="? ? ? * * last_fri")

    chosen = api.job("j")["schedule"]
    api("PUT", "/jobs/j", {"taskCount": 2})

    assert re.fullmatch(r"\d+ \d+ \d+ \* \* last_fri", chosen)
    assert api.job("j")["schedule"] == chosen


def test_suspended_job_has_no_next_run(api: Api) -> None:
    api.make("j")
    api("PUT", "/jobs/j", {"suspended": True})

    assert "estimatedNextRun" not in api.job("j")


@pytest.mark.parametrize(
    ("asked", "shown", "links"),
    [
        ("", ("j00", 10), (None, "/jobs?skip=10")),
        ("?skip=10", ("j10", 10), ("/jobs", "/jobs?skip=20")),
        ("?skip=20", ("j20", 5), ("/jobs?skip=10", None)),
        ("?skip=3&count=5", ("j03", 5), ("/jobs?count=3", "/jobs?count=5&skip=8")),
        ("?skip=-4&count=-1", (None, 0), (None, None)),
        ("?count=1000", ("j00", 25), (None, None)),
        ("?skip=99", (None, 0), ("/jobs?skip=15", None)),
    ],
)
def test_pages(
    api: Api, asked: str, shown: tuple[str | None, int], links: tuple[str | None, str | None]
) -> None:
    for number in range(25):
        api.make(f"j{number:02}")

    page = api("GET", f"/jobs{asked}").json()

    names = [job["id"] for job in page["jobs"]]
    assert (names[0] if names else None, len(names)) == shown
    assert (page.get("prev"), page.get("next")) == links


def test_options_and_head(api: Api) -> None:
    options, head = api("OPTIONS", "/jobs"), api("HEAD", "/jobs")
    refused = api("PUT", "/jobs", {})

    assert options.status_code == 200
    assert options.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert options.headers["content-type"].startswith("text/html")
    assert (head.status_code, head.content) == (200, b"")
    assert refused.status_code == 405
    assert "POST" in refused.headers["allow"]


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
