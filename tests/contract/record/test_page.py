"""The record over HTTP, from both databases: pages, JSON, the stream, and who may read them."""

import base64
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import anyio
import pytest

from examples.record.lives import Life, lives
from tests.support.databases import a_record
from tests.support.task_events import an_event, states
from watchbot.doorkeeper import EXCHANGE_S, REQUEST_S
from watchbot.pages.site import holders, site
from watchbot.record import answers
from watchbot.record.api import STREAM_S, Api
from watchbot.record.event import TaskState, read
from watchbot.record.page import RecordPages
from watchbot.record.writer import write
from watchbot.sql.database import Database
from watchbot.web import serving_app


@asynccontextmanager
async def served(
    database: Database, token: str | None = None, stream_s: float = STREAM_S
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A client, and the address of the record's page."""
    app = site(
        [*RecordPages(database).routes(), *Api(database, stream_s=stream_s).routes()],
        host="127.0.0.1",
        visitors=holders(token),
    )
    async with (
        serving_app(app, "127.0.0.1", 0, "http_port") as url,
        aiohttp.ClientSession() as client,
    ):
        yield client, url


async def fill(database: Database, count: int = 80) -> list[Life]:
    made = [life for life in lives(count, hours=20, end=datetime.now(UTC)) if life.events]
    events = [read(json.dumps(event), "m") for life in made for event in life.events]
    await write(database, [event for event in events if isinstance(event, TaskState)])
    return made


async def test_pages_show_what_is_recorded(url: str) -> None:
    async with a_record(url) as database, served(database) as (client, address):
        made = await fill(database)
        seen = {}
        for path in ("/", "/timeline?since=1d", "/failures?by=hour", f"/tasks/{made[0].arn[-32:]}"):
            async with client.get(address + path) as answer:
                assert answer.status == 200
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                seen[path] = await answer.text()

    pages = list(seen.values())
    for life in made:
        name = life.arn.rpartition("/")[2]
        runs = life.started_at is not None and life.stopped_at is None
        assert (name in pages[0]) == runs
        assert (name in pages[1]) == (life.started_at is not None)
    assert 'class="bar failed"' in pages[2]
    assert pages[3].count("<td>event</td>") == len(made[0].events)
    assert not any("<script" in page for page in pages)


async def test_links_lead_from_page_to_page(url: str) -> None:
    async with a_record(url) as database, served(database) as (client, address):
        await fill(database)
        seen, path = set[str](), "/failures?since=3d&limit=2&by=family"
        while path:
            async with client.get(address + path) as answer:
                text = await answer.text()
            found = set(re.findall(r'<a href="/tasks/([^"]+)"', text))
            assert not found & seen
            seen |= found
            older = re.search(r'<a href="(\?[^"]+)">older', text)
            assert ("latest" in text) == ("after" in path)
            path = f"/failures{html.unescape(older[1])}" if older else ""
            assert not path or "by=family" in path
        whole = await answers.failed(database, datetime.now(UTC) - timedelta(days=3))

    assert seen == {task["task_id"] for task in whole}
    assert len(seen) > 4


async def test_page_escapes_what_tasks_are_called(url: str) -> None:
    evil = "<script>alert(1)</script>"
    event = an_event(1, startedBy=evil, startedAt="2026-11-21T03:00:00Z", group=evil)

    async with a_record(url) as database, served(database) as (client, address):
        await write(database, states(event))
        texts = []
        for path in ("/", "/tasks/1", "/timeline?since=2020-01-01", f"/?family={evil}"):
            async with client.get(address + path) as answer:
                texts.append(await answer.text())

    assert not any("<script" in text for text in texts)


async def test_json_answers(url: str) -> None:
    async with a_record(url) as database, served(database) as (client, address):
        made = await fill(database)
        runs = {life.arn for life in made if life.started_at and not life.stopped_at}
        async with client.get(f"{address}/v1/tasks") as answer:
            now = await answer.json()
        async with client.get(f"{address}/v1/tasks?after=") as answer:  # as other empty filters
            assert (await answer.json())["tasks"] == now["tasks"]
        async with client.get(f"{address}/v1/tasks/{made[3].arn}") as answer:
            one = await answer.json()
        async with client.get(f"{address}/v1/tasks/at/1h") as answer:
            then = await answer.json()
        async with client.get(f"{address}/v1/failures?by=family&since=2d") as answer:
            failed = await answer.json()
        async with client.get(f"{address}/v1/tasks?limit=3&page=1") as answer:
            second = await answer.json()
        async with client.get(f"{address}/v1/tasks?limit=3&after={second['next_after']}") as answer:
            third = await answer.json()

    assert {task["task_arn"] for task in now["tasks"]} == runs
    assert one["task"]["detail"]["taskArn"] == made[3].arn
    assert [event["version"] for event in one["events"]] == list(range(1, len(made[3].events) + 1))
    assert then["tasks"]
    assert sum(row["ended"] for row in failed["failures"]) == sum(
        life.stopped_at is not None for life in made
    )
    assert second["tasks"] == now["tasks"][3:6]
    assert third["tasks"] == now["tasks"][6:9]
    assert now["next_after"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/tasks/nobody", 404),
        ("/tasks/nobody", 404),
        ("/v1/tasks/at/soon", 400),
        ("/v1/tasks?page=-1", 400),
        ("/v1/tasks?after=nobody", 400),
        ("/timeline?after=nobody", 400),
        ("/instances?after=nobody", 400),
        ("/v1/failures?by=week", 400),
        ("/timeline?since=soon", 400),
        ("/v1/stream/tasks?since=x", 400),
        ("/v1/tasks?status=stopped", 400),
        ("/v1/tasks?cluster=%00", 400),
        ("/v1/tasks/at/1h?familly=web", 400),
        ("/v1/failures?until=1h", 400),
        ("/instances?cluster=x", 400),
        ("/instances", 200),
        ("/v1/stream/tasks?from=0", 400),
        ("/?name=web", 400),
        ("/timeline?service=a%00b", 400),
    ],
)
async def test_bad_questions(url: str, path: str, status: int) -> None:
    async with (
        a_record(url) as database,
        served(database) as (client, address),
        client.get(address + path) as answer,
    ):
        assert answer.status == status
        assert "Traceback" not in await answer.text()


async def test_stream_tells_every_change_once_and_goes_on_where_it_ended(url: str) -> None:
    async with a_record(url) as database, served(database) as (client, address):
        await write(database, states(an_event(1), an_event(2)))
        first = await take(client, f"{address}/v1/stream/tasks?since=0", 2)
        position = first[-1][0]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, database, states(an_event(3), an_event(4)))
            second = await take(client, f"{address}/v1/stream/tasks?since={position}", 2)

    assert [change["version"] for _, change in first + second] == [1, 2, 3, 4]


async def test_stream_ends_in_order_before_it_is_cut_off(url: str) -> None:
    assert STREAM_S < EXCHANGE_S - REQUEST_S  # its connection may have been open for a while
    async with a_record(url) as database, served(database, stream_s=0.1) as (client, address):
        await write(database, states(an_event(1)))
        with anyio.fail_after(20):
            async with client.get(f"{address}/v1/stream/tasks?since=0") as answer:
                told = await answer.text()  # raises if the connection is cut off

    assert told.count("event: task") == 1


async def test_stream_that_ended_without_a_change_goes_on_where_it_began(url: str) -> None:
    async with a_record(url) as database, served(database, stream_s=0.1) as (client, address):
        await write(database, states(an_event(1)))
        async with client.get(f"{address}/v1/stream/tasks") as answer:
            ids = re.findall("^id: (.+)$", await answer.text(), re.M)
        await write(database, states(an_event(2)))
        headers = {"Last-Event-ID": ids[-1]}
        async with client.get(f"{address}/v1/stream/tasks", headers=headers) as answer:
            told = await answer.text()

    assert told.count("event: task") == 1
    assert '"version": 2' in told


async def test_stream_ends_with_its_database(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with a_record(url) as database, served(database) as (client, address):
        await write(database, states(an_event(1)))
        with anyio.fail_after(20):
            async with client.get(f"{address}/v1/stream/tasks?since=0") as answer:
                while not (await answer.content.readline()).startswith(b"data: "):
                    pass
                async with database.transaction() as transaction:
                    await transaction.script("ALTER TABLE ecs_task_event RENAME TO elsewhere")
                await answer.read()

    assert "stream ended" in caplog.messages
    assert "Traceback" not in caplog.text


async def take(
    client: aiohttp.ClientSession, address: str, count: int
) -> list[tuple[str, dict[str, object]]]:
    """The first `count` changes of a stream, each with its position."""
    found: list[tuple[str, dict[str, object]]] = []
    with anyio.fail_after(20):
        async with client.get(address) as answer:
            assert answer.content_type == "text/event-stream"
            position = ""
            while len(found) < count:
                line = (await answer.content.readline()).decode().strip()
                if line.startswith("id: "):
                    position = line[4:]
                elif line.startswith("data: "):
                    found.append((position, json.loads(line[6:])))
    return found


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic !", 401),
        ("Bearer t0ken", 200),
        ("Basic " + base64.b64encode(b"me:t0ken").decode(), 200),
    ],
)
async def test_token_is_asked_for(url: str, authorization: str | None, status: int) -> None:
    headers = {"authorization": authorization} if authorization else {}
    async with a_record(url) as database, served(database, "t0ken") as (client, address):
        for path in ("/", "/v1/tasks", "/style.css"):
            async with client.get(address + path, headers=headers) as answer:
                assert answer.status == status


async def test_page_on_loopback_answers_to_no_foreign_name(url: str) -> None:
    async with (
        a_record(url) as database,
        served(database) as (client, address),
        client.get(f"{address}/v1/tasks", headers={"host": "evil.example"}) as answer,
    ):
        assert answer.status == 400
