"""Dead letters on the console's pages: seen by all from one walk, replayed, edited, deleted."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.console import Person, console, text_of
from tests.support.dead_letters import given_up
from tests.support.dead_letters import queues as pair


@dataclass(frozen=True, slots=True)
class Office:
    """A console on a queue and its dead-letter queue."""

    cloud: Cloud
    url: str
    queue: str
    dead: str

    @property
    def ann(self) -> Person:
        return Person(self.url)

    def opened(self, *bodies: str) -> list[str]:
        """Opens the dead letters with these bodies, after those that were there; their ids."""
        ids = [given_up(self.cloud, self.dead, body) for body in bodies]
        self.ann.send("/letters", "/letters/tiles/open")
        self.ann.send("/letters", "/letters/tiles/again")
        self.wait_until("/letters/tiles", rf"{bodies[-1]}" if bodies else "open")
        return ids

    def wait_until(self, path: str, pattern: str) -> str:
        """The text of a page, once it has what is awaited: work goes on in the background."""
        for _ in range(200):
            text = self.ann.look(path)
            if re.search(pattern, text):
                return text
            time.sleep(0.05)  # leaves the processor to those that are waited for
        raise AssertionError(f"{path} never shows {pattern!r}: {text}")

    def asked_to_delete(self, **filters: str) -> dict[str, str]:
        """The form that asks whether to delete all letters that match."""
        words = {"which": "found", "what": "delete", **filters}
        page = self.ann.send("/letters/tiles", "/letters/tiles/sure", **words)
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))


@pytest.fixture(scope="module")
def office(cloud: Cloud) -> Iterator[Office]:
    queues = pair(cloud, "tiles")
    with console(cloud, "--queue-url", queues.url) as url:
        yield Office(cloud, url, queues.url, queues.dead)


@pytest.fixture(autouse=True)
def empty(office: Office) -> Iterator[None]:
    """Leaves both queues empty for the next test."""
    yield
    office.ann.send("/letters/tiles", "/letters/tiles/close")
    office.wait_until("/letters/tiles", "wait in tiles-dead")
    office.cloud.take_all(office.queue)
    office.cloud.take_all(office.dead)


def test_letter_is_two_clicks_from_the_first_page(office: Office) -> None:
    given_up(office.cloud, office.dead, '{"tile": "<b>7</b>"}')
    office.wait_until("/", "1 of tiles")

    opened = office.ann.send("/", "/letters/tiles/open")
    office.wait_until("/letters/tiles", "1 letters")
    (link,) = re.findall(
        r'href="(/letters/tiles/[^"?]+)">\{', office.ann.get("/letters/tiles").text
    )
    letter = office.ann.get(link)

    assert opened.url.endswith("/letters/tiles")
    text = text_of(letter.text)
    assert "exit code 2" in text
    assert "it broke" in text
    assert '{ "tile": "<b>7</b>" }' in text
    assert "<b>" not in letter.text


def test_viewers_share_one_walk(office: Office) -> None:
    office.opened("one", "two", "three")

    bob = Person(office.url)

    assert "3 are open" in bob.look("/letters/tiles")
    assert office.cloud.depth(office.dead) == (0, 3)
    assert "3" in bob.look("/letters")
    counts = {
        message["Attributes"]["ApproximateReceiveCount"]
        for message in _given_back(office)
    }  # fmt: skip
    assert counts == {"2"}  # the console's receive, and this test's


def _given_back(office: Office) -> list[dict[str, Any]]:
    office.ann.send("/letters/tiles", "/letters/tiles/close")
    office.wait_until("/letters/tiles", "wait in tiles-dead")
    return office.cloud.take_all(office.dead)


def test_ticked_letters_are_replayed_and_noted(office: Office) -> None:
    ids = office.opened("red", "green", "blue")

    asked = office.ann.send(
        "/letters/tiles", "/letters/tiles/sure", which="chosen", id=ids[:2], what="replay"
    )
    ticket = re.findall(r'name="ticket" value="([^"]+)"', asked.text)[0]
    fields = {"ticket": ticket, "what": "replay", "id": ids[:2]}
    began = office.ann.post("/letters/tiles/act", fields)
    office.wait_until(began.url.removeprefix(office.url), "Done: 2 replayed")

    assert "Replay 2 letters of tiles?" in text_of(asked.text)
    sent = {message["Body"] for message in office.cloud.take_all(office.queue)}
    assert sent == {"red", "green"}
    assert office.cloud.depth(office.dead) == (0, 1)
    assert re.search("somebody replay tiles 2 2 replayed", office.ann.look("/audit"))
    again = office.ann.post("/letters/tiles/act", fields)
    assert again.status_code == 409
    assert "was sent before" in text_of(again.text)
    assert office.cloud.depth(office.queue) == (0, 0)


def test_found_letters_are_deleted(office: Office) -> None:
    office.opened("tile 1", "tile 2", "other")
    found = office.ann.look("/letters/tiles?text=tile")

    began = office.ann.post("/letters/tiles/act", office.asked_to_delete(text="tile"))
    office.wait_until(began.url.removeprefix(office.url), "Done: 2 deleted")

    assert "2 that match" in found
    (left,) = _given_back(office)
    assert left["Body"] == "other"


def test_changed_body_is_sent_and_the_old_one_kept(office: Office) -> None:
    (message_id,) = office.opened('{"zoom": 99}')

    began = office.ann.send(
        "/letters/tiles",
        "/letters/tiles/act",
        what="replay",
        id=message_id,
        edited="yes",
        body='{"zoom": 9}',
    )
    office.wait_until(began.url.removeprefix(office.url), "Done: 1 replayed; with a changed body")

    (sent,) = office.cloud.take_all(office.queue)
    assert sent["Body"] == '{"zoom": 9}'
    edit = {"id": message_id, "before": '{"zoom": 99}', "after": '{"zoom": 9}'}
    assert json.dumps(edit) in office.ann.look("/audit")


def test_letters_go_to_a_file(office: Office) -> None:
    office.opened("tile 1", "other")

    answer = office.ann.get("/letters/tiles/file?text=tile")

    (line,) = answer.text.splitlines()
    assert json.loads(line)["message"] == "tile 1"
    assert answer.headers["content-disposition"] == 'attachment; filename="tiles.jsonl"'


def test_cancelled_order_keeps_the_rest(office: Office) -> None:
    ids = office.opened("one", "two", "three", "four")

    began = office.ann.send("/letters/tiles", "/letters/tiles/act", what="replay", id=ids, rate="1")
    path = began.url.removeprefix(office.url)
    office.ann.send(path, f"{path}/cancel")
    told = office.wait_until(path, "Done: ")

    assert "cancelled" in told
    replayed = len(office.cloud.take_all(office.queue))
    assert 1 <= replayed < 4
    assert len(_given_back(office)) == 4 - replayed


def test_order_covers_what_was_here_when_it_was_asked_for(office: Office) -> None:
    """A walk goes on while a person reads "Delete 1": nobody has confirmed what it finds."""
    office.opened("one")
    fields = office.asked_to_delete()
    office.opened("two")

    began = office.ann.post("/letters/tiles/act", fields)

    office.wait_until(began.url.removeprefix(office.url), "Done: 1 deleted")
    assert "1 letters" in office.wait_until("/letters/tiles", "two")


def test_age_from_before_our_times_finds_nothing(office: Office) -> None:
    office.opened("one")

    assert "0 that match" in office.ann.look("/letters/tiles?older=999999d")


BAD_FORMS: list[tuple[str, dict[str, object], str]] = [
    ("sure", {"which": "chosen", "what": "replay"}, "no letter is chosen"),
    ("sure", {"which": "found", "what": "replay", "older": "soon"}, "is no age"),
    ("act", {"what": "burn", "id": "x"}, "can be replayed or deleted"),
    ("act", {"what": "replay", "id": "x", "rate": "0"}, "the rate must be"),
    ("act", {"what": "replay", "id": "x", "rate": "fast"}, "the rate must be"),
    ("act", {"what": "replay", "id": "x", "rate": "1e-300"}, "the rate must be"),
    ("act", {"what": "delete"}, "no letter is chosen"),
    ("act", {"what": "replay", "id": "x", "to": "https://evil.example/1/q"}, "they came from"),
    ("act", {"what": "replay", "id": ["x", "y"], "edited": "yes", "body": "b"}, "for one letter"),
]


def test_bad_forms_change_nothing(office: Office) -> None:
    office.opened("one")

    for path, fields, said in BAD_FORMS:
        answer = office.ann.send("/letters/tiles", f"/letters/tiles/{path}", **fields)
        assert answer.status_code == 400
        assert said in text_of(answer.text)

    assert "1 letters" in office.ann.look("/letters/tiles")
