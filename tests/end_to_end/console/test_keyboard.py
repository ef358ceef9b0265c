"""Every action of the console with the keyboard alone, and pages that refresh under a reader."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browsing import walked
from tests.support.cloud import Cloud
from tests.support.console import Person, console
from tests.support.dead_letters import Queues, given_up
from tests.support.schedule_api import Api, a_scheduler

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31m{{7*7}}</pre>"


@pytest.fixture(scope="module")
def api(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("schedule")
    with a_scheduler(cloud, f"sqlite:///{folder}/schedule.db") as api:
        target = {"type": "sqs", "queueUrl": cloud.queue("scheduled"), "message": "m"}
        api.make("nightly", target=target)
        yield api


@pytest.fixture(scope="module")
def url(cloud: Cloud, pair: Queues, api: Api) -> Iterator[str]:
    with console(cloud, "--queue-url", pair.url, "--schedule", api.url) as url:
        yield url


def test_dead_letters_are_replayed_edited_and_deleted(cloud: Cloud, pair: Queues, url: str) -> None:
    ids = [given_up(cloud, pair.dead, body) for body in ("one", "two", "three", HOSTILE)]
    letters = ("open", f"{url}/letters/tiles")
    walk = walked(
        ("open", f"{url}/letters"),
        ("press", "Open, tiles"),
        ("await", "4 are open."),
        ("tick", f"Choose {ids[0]}"),
        ("press", "Replay …"),
        ("type", "At most, a second", "100"),
        ("press", "Replay 1"),
        ("await", "Done: 1 replayed"),
        letters,
        ("press", "two"),
        ("type", "Body as the queue has it", "two, mended"),
        ("press", "Replay this body"),
        ("await", "Done: 1 replayed"),
        letters,
        ("type", "Text", "three"),
        ("press", "Filter"),
        ("choose", "the ticked ones"),
        ("press", "Delete …"),
        ("press", "Delete 1"),
        ("await", "Done: 1 deleted"),
        letters,
        ("press", "<img"),
        letters,
        ("press", "Give them back and close"),
        ("open", f"{url}/audit"),
        width=420,
    )

    assert (walk.violations, walk.complaints) == ([], [])
    assert HOSTILE.replace("\x1b", "") in walk.seen[-4].replace("\x1b", "")
    assert {each["Body"] for each in cloud.take_all(pair.url)} == {"one", "two, mended"}
    for deed in ("replay", "edit", "delete"):
        assert deed in walk.seen[-1]


def test_queue_is_paused_resumed_and_sent_to(cloud: Cloud, pair: Queues, url: str) -> None:
    queue = ("open", f"{url}/queues/tiles")
    walk = walked(
        queue,
        ("type", "Reason", "a deploy"),
        ("press", "Pause"),
        ("press", "Resume"),
        ("type", "Body", "by hand"),
        ("press", "Send"),
        scheme="dark",
    )

    assert (walk.violations, walk.complaints) == ([], [])
    assert ["paused" in text for text in walk.seen] == [False, False, True, False, False, False]
    assert [each["Body"] for each in cloud.take_all(pair.url)] == ["by hand"]


def test_job_is_run_paused_and_resumed(api: Api, url: str) -> None:
    walk = walked(
        ("open", f"{url}/schedule"),
        ("press", "Run now …, nightly"),
        ("press", "Run now"),
        ("press", "Pause, nightly"),
        ("press", "Resume, nightly"),
        scheme="dark",
        width=420,
    )

    assert (walk.violations, walk.complaints) == ([], [])
    assert [run["cause"] for run in api("GET", "/v1/jobs/nightly/runs").json()["runs"]] == [
        "manual"
    ]
    assert ["paused" in text for text in walk.seen] == [False, False, False, True, False]


def test_refresh_keeps_focus_and_place(cloud: Cloud, pair: Queues, url: str) -> None:
    """What is told after a refresh: the link in focus, how far it is scrolled, and the title."""
    told = "[document.activeElement.textContent, scrollY, document.title].join()"
    walk = walked(
        ("open", f"{url}/"),
        ("run", "document.body.style.paddingTop = '3000px'; scrollTo(0, 2000)"),
        ("focus", "tiles"),
        ("run", told),
        ("run", _CHANGE.format(url=f"{url}/queues/tiles")),
        ("await", "paused"),
        ("run", told),
    )
    Person(url).send("/queues/tiles", "/queues/tiles/resume")

    (before, after) = (walk.seen[3].split(","), walk.seen[-1].split(","))
    assert before[:2] == after[:2]
    assert before[0] == "tiles"
    assert before[2] != after[2]
    assert (walk.violations, walk.complaints) == ([], [])


# Pauses the queue as another person would, while the page is open.
_CHANGE = """fetch("{url}").then((page) => page.text()).then((text) => {{
  const ticket = /name="ticket" value="([^"]+)"/.exec(text)[1];
  return fetch("{url}/pause", {{ method: "POST", body: new URLSearchParams({{ ticket }}) }});
}}).then(() => undefined)"""


def test_console_that_goes_away_is_told_and_what_was_shown_stays(
    cloud: Cloud, pair: Queues
) -> None:
    away = "window.fetch = () => Promise.reject(new Error('refused')); 1"
    with console(cloud, "--queue-url", pair.url) as url:
        walk = walked(
            ("open", f"{url}/"),
            ("run", away),
            ("await", "Not up to date: the console has not answered since"),
        )

    assert "tiles" in walk.seen[-1]
    assert walk.complaints == []
