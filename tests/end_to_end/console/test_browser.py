"""The console in a real browser: readable at each width, in light and dark, by keyboard alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import pytest

from tests.support.browsing import looked, tabbed
from tests.support.cloud import Cloud
from tests.support.console import Person, console
from tests.support.databases import a_record
from tests.support.dead_letters import given_up, queues
from tests.support.schedule_api import a_scheduler
from tests.support.task_events import an_event, states
from watchbot.moment import to_text
from watchbot.record.writer import write

LONG = "tiles-of-a-team-with-a-very-long-name-for-its-queues-and-more-of-it"
SCRIPT = "<script>alert(1)</script>" + 200 * "x"


@dataclass(frozen=True, slots=True)
class Site:
    """A console with something on each page."""

    url: str
    pages: list[str]


async def _record(url: str) -> None:
    """Fills a record with a task that failed, and one that runs."""
    now, base = to_text(datetime.now(UTC)), f"arn:aws:ecs:eu-west-1:123456789012:task/{LONG}/"
    killed = {"name": "main", "lastStatus": "STOPPED", "exitCode": 137, "reason": SCRIPT}
    ended = {"stopCode": "EssentialContainerExited", "startedAt": now, "stoppedAt": now}
    async with a_record(url) as record:
        dead = an_event(3, "STOPPED", taskArn=f"{base}dead", containers=[killed], **ended)
        await write(record, states(dead, an_event(2, taskArn=f"{base}lives", startedAt=now)))


@pytest.fixture(scope="module")
def scheduler(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with a job that waits, one that is paused, and one whose run failed."""
    folder = tmp_path_factory.mktemp("schedule")
    with a_scheduler(cloud, f"sqlite:///{folder}/schedule.db") as api:
        queue = cloud.queue("scheduled")
        for name, address in (("waits", queue), (LONG, queue), ("lost", f"{queue}-gone")):
            api.make(name, target={"type": "sqs", "queueUrl": address, "message": SCRIPT})
        api("POST", f"/v1/jobs/{LONG}/pause", {"note": SCRIPT})
        api("POST", "/v1/jobs/lost/run")
        failed = "/v1/runs?job=lost&status=failed"
        assert any(api("GET", failed).json()["runs"] for _ in range(400))
        yield api.url


@pytest.fixture(scope="module")
def site(cloud: Cloud, scheduler: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pair = queues(cloud, LONG)
    for _ in range(3):
        given_up(cloud, pair.dead, SCRIPT)
    record = f"sqlite:///{tmp_path_factory.mktemp('record')}/ecs.db"
    anyio.run(_record, record)
    words = ("--queue-url", pair.url, "--watcher", "http://127.0.0.1:9/metrics")
    with console(cloud, *words, "--schedule", scheduler, "--record", record) as url:
        ann = Person(url)
        ann.send(f"/queues/{LONG}", f"/queues/{LONG}/pause", reason="a deploy")
        ann.send("/letters", f"/letters/{LONG}/open")
        letters = f"/letters/{LONG}"
        while "3 are open." not in (shown := ann.look(letters)):
            assert "3 are open" in shown or "more are being received" in shown
        (first, *_) = sorted(_links(ann.get(letters).text, letters))
        paths = ["/", f"/queues/{LONG}", "/failures", "/failures/f1", "/letters", letters, first]
        paths += ["/runs", "/audit", "/schedule", f"/schedule/jobs/{LONG}/run", "/tasks"]
        yield Site(url, [url + path for path in [*paths, "/tasks/dead", "/tasks/lives"]])


def _links(document: str, base: str) -> set[str]:
    return {
        part.partition('"')[0] for part in document.split('href="') if part.startswith(f"{base}/")
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_each_page_is_accessible_and_fits(site: Site, width: int, scheme: str) -> None:
    for page, seen in looked(site.pages, width=width, scheme=scheme).items():
        assert seen.violations == [], page
        assert seen.wide <= width, page
        assert seen.complaints == [], page


def test_all_actions_are_reached_by_keyboard(site: Site) -> None:
    reached = tabbed(site.pages[1])

    assert [name for name in reached if "(not seen)" in name] == []
    assert reached[-3:] == ["Resume", "body", "Send"]
