"""The scheduler's API over stores of all kinds: jobs under `/v1`, slips, and times at the ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest

from tests.support.fake_ecs import FakeEcs
from tests.support.house import House, a_house
from watchbot.schedule.http.api import application
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.run import RunEnd
from watchbot.settings.schedule import ScheduleSettings
from watchbot.web import serving_app

HOST = "127.0.0.1"


class Api:
    """The API of a replica that neither plans nor starts anything."""

    def __init__(self, client: aiohttp.ClientSession, url: str, house: House) -> None:
        self._client, self._url, self.house = client, url, house

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._client.request(method, self._url + path, json=body) as answer:
            return answer.status, await answer.json()


class Ecs:
    """Clients of an ECS in memory."""

    def __init__(self) -> None:
        self.ecs = FakeEcs()

    async def near(self, service: str, address: str = "") -> FakeEcs:
        return self.ecs


@asynccontextmanager
async def served(place: str) -> AsyncIterator[Api]:
    settings = ScheduleSettings()
    async with a_house(place) as house:
        scheduler = Scheduler(settings, house.store, cast(Clients, Ecs()))
        app = application(settings, house.store, scheduler)
        async with serving_app(app, HOST, 0, "port") as url, aiohttp.ClientSession() as client:
            yield Api(client, url, house)


async def test_job_under_v1_is_standard_cron(place: str) -> None:
    fields = {"id": "j", "schedule": "0 7 * * *", "timezone": "Europe/Berlin"}
    async with served(place) as api:
        made = await api("POST", "/v1/jobs", fields)
        read = await api("GET", "/v1/jobs/j")
        changed = await api("PUT", "/v1/jobs/j", {**made[1], "schedule": "30 8 * * mon-fri"})
        _, listed = await api("GET", "/v1/jobs?count=1")
        removed = await api("DELETE", "/v1/jobs/j")

    assert (made[0], read[0], changed[0]) == (201, 200, 200)
    assert made == (201, read[1])
    assert made[1]["dialect"] == "cron"
    assert made[1]["scheduleReads"] == "every day at 07:00 Europe/Berlin"
    assert made[1]["nextFires"] == [f"2026-11-{day}T06:00:00.000Z" for day in (22, 23, 24)]
    assert made[1]["link"]["href"] == "/v1/jobs/j"
    assert changed[1]["scheduleReads"] == "every Monday to Friday at 08:30 Europe/Berlin"
    assert listed["jobs"] == [changed[1]]
    assert removed == (200, {"id": "j"})


async def test_five_fields_without_dialect_are_answered_with_how_they_read(place: str) -> None:
    async with served(place) as api:
        _, slip = await api("POST", "/jobs", {"id": "a", "schedule": "0 7 * * *"})
        _, meant = await api(
            "POST", "/jobs", {"id": "b", "schedule": "0 7 * * *", "dialect": "cron"}
        )
        _, eight = await api("POST", "/jobs", {"id": "c", "schedule": "0 0 7"})
        _, shown = await api("GET", "/jobs/a")

    assert slip["scheduleReads"] == shown["scheduleReads"] == "every hour at :07 UTC"
    assert "every day at 07:00 UTC" in slip["scheduleWarning"]
    assert set(meant) == set(eight) == {"id", "link"}


@pytest.mark.parametrize(
    ("asked", "named", "nearest"),
    [
        (("POST", "/v1/jobs/j/run", {"dry_run": True}), "dry_run", "dryRun"),
        (("POST", "/v1/jobs/j/run?dryRun=true", None), "dryRun", ""),
        (("POST", "/v1/jobs/j/backfill", {"dryrun": True}), "dryrun", "dryRun"),
        (("POST", "/v1/jobs/j/pause", {"reason": "x"}), "reason", "note"),
        (("POST", "/v1/jobs/j/resume", {"note": "x"}), "note", ""),
        (("POST", "/v1/fires", {"schedule": "@daily", "tz": "UTC"}), "tz", "timezone"),
        (("GET", "/v1/jobs/j/fires?cuont=3", None), "cuont", "count"),
        (("GET", "/v1/jobs/j/runs?limti=3", None), "limti", "limit"),
        (("GET", "/v1/jobs?limit=3", None), "limit", ""),
        (("GET", "/v1/jobs/j?x=1", None), "x", ""),
        (("POST", "/v1/jobs", {"schedule": "@daily", "paused": True}), "paused", "suspended"),
        (("PUT", "/v1/jobs/j", {"paused": True}), "paused", "suspended"),
    ],
)
async def test_slips_change_nothing(
    place: str, asked: tuple[str, str, Any], named: str, nearest: str
) -> None:
    async with served(place) as api:
        await api("POST", "/v1/jobs", {"id": "j", "schedule": "@hourly", "taskDefinition": "t"})
        status, told = await api(*asked)
        _, runs = await api("GET", "/v1/jobs/j/runs")
        _, job = await api("GET", "/v1/jobs/j")

    assert status == 400
    assert told["messages"][named][0].startswith("Unknown field.")
    assert nearest in told["messages"][named][0]
    assert runs == {"runs": []}
    assert "suspended" not in job


ENDS = ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z")


@pytest.mark.parametrize("moment", ENDS)
async def test_ends_of_the_calendar_are_refused_in_every_parameter(place: str, moment: str) -> None:
    told = moment.replace("%2B", "+")
    bodies = [
        ("POST", "/v1/jobs/j/backfill", {"start": told, "end": told}),
        ("POST", "/v1/fires", {"schedule": "@daily", "after": told}),
        ("POST", "/v1/jobs", {"id": "n", "schedule": "@daily", "scheduleStart": told}),
        ("PUT", "/jobs/j", {"scheduleEnd": told}),
        ("GET", f"/v1/jobs/j/fires?after={moment}", None),
        ("GET", f"/v1/jobs/j/runs?before={moment}", None),
    ]
    async with served(place) as api:
        await api("POST", "/v1/jobs", {"id": "j", "schedule": "@hourly"})
        statuses = [(await api(*asked))[0] for asked in bodies]

    assert statuses == [400] * len(bodies)


async def test_fires_end_with_the_calendar(place: str) -> None:
    question = {"schedule": "rate(18000 days)", "after": "2199-12-31T23:59:59Z", "count": 1000}
    async with served(place) as api:
        status, told = await api("POST", "/v1/fires", question)

    assert status == 200
    assert told["fires"][-1] < "9999"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_texts_that_no_store_can_hold_are_refused(place: str, text: str) -> None:
    target = {"type": "sqs", "queueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"}
    asked = [
        ("POST", "/jobs", {"id": "n", "schedule": "0", "target": {**target, "message": text}}),
        ("POST", "/jobs", {"id": "n", "schedule": "0", text: 1}),
        ("POST", "/v1/jobs/j/pause", {"note": text}),
        ("POST", "/v1/fires", {"schedule": text}),
    ]
    async with served(place) as api:
        await api("POST", "/v1/jobs", {"id": "j", "schedule": "@hourly"})
        statuses = [(await api(*each))[0] for each in asked]

    assert statuses == [400] * len(asked)


async def test_queue_on_a_server_that_nobody_allowed_is_refused(place: str) -> None:
    foreign = "http://169.254.169.254/123456789012/q"
    target = {"type": "sqs", "queueUrl": foreign, "message": "m"}
    async with served(place) as api:
        made = await api("POST", "/v1/jobs", {"id": "a", "schedule": "@daily", "target": target})
        retry = {"deadLetterQueue": foreign}
        old = await api("POST", "/jobs", {"id": "b", "schedule": "0", "retry": retry})
        _, jobs = await api("GET", "/jobs")

    assert (made[0], old[0], jobs["jobs"]) == (400, 400, [])
    assert "--allow-endpoint" in made[1]["messages"]["target"]["queueUrl"][0]
    assert "--allow-endpoint" in old[1]["messages"]["retry"]["deadLetterQueue"][0]


async def test_tries_are_counted_from_the_first(place: str) -> None:
    async with served(place) as api:
        await api("POST", "/v1/jobs", {"id": "j", "schedule": "@hourly", "taskDefinition": "t"})
        await api("POST", "/v1/jobs/j/run")
        (run,) = await api.house.take(api.house.one)
        await api.house.one.finish(run, RunEnd(status="started"))
        _, runs = await api("GET", "/v1/jobs/j/runs")

    assert runs["runs"][0]["attempts"] == 1
