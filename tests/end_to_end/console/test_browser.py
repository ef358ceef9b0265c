"""The console in a real browser: readable at each width, in light and dark, by keyboard alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.browsing import looked, tabbed
from tests.support.cloud import Cloud
from tests.support.console import Person, console
from tests.support.dead_letters import given_up, queues

LONG = "tiles-of-a-team-with-a-very-long-name-for-its-queues-and-more-of-it"
SCRIPT = "<script>alert(1)</script>" + 200 * "x"


@dataclass(frozen=True, slots=True)
class Site:
    """A console with something on each page."""

    url: str
    pages: list[str]


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Iterator[Site]:
    pair = queues(cloud, LONG)
    for _ in range(3):
        given_up(cloud, pair.dead, SCRIPT)
    words = ("--queue-url", pair.url, "--watcher", "http://127.0.0.1:9/metrics")
    with console(cloud, *words) as url:
        ann = Person(url)
        ann.send(f"/queues/{LONG}", f"/queues/{LONG}/pause", reason="a deploy")
        ann.send("/letters", f"/letters/{LONG}/open")
        letters = f"/letters/{LONG}"
        while "3 are open." not in (shown := ann.look(letters)):
            assert "3 are open" in shown or "more are being received" in shown
        (first, *_) = sorted(_links(ann.get(letters).text, letters))
        paths = ["/", f"/queues/{LONG}", "/failures", "/failures/f1", "/letters", letters, first]
        yield Site(url, [url + path for path in [*paths, "/runs", "/audit", "/schedule", "/tasks"]])


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
