"""The REST API as ecs-scheduler had it, and what is mended in it; then what is new."""

import re
from typing import Any

import pytest

from tests.support.schedule_api import NEVER_SOON, Api


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
