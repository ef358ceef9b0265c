"""Whom the console refuses for each of its actions, and what a message cannot bring about."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.support.cloud import Cloud
from tests.support.console import Person, console, text_of
from tests.support.dead_letters import Queues
from tests.support.programs import read_until
from watchbot.console.act import QueueActions
from watchbot.console.letter_pages import LetterPages
from watchbot.console.look import LookPages
from watchbot.console.schedule_pages import SchedulePart
from watchbot.console.task_pages import TaskPages

PAGES = (LookPages, LetterPages, QueueActions, SchedulePart, TaskPages)
ACTIONS = sorted(
    route.path
    for pages in PAGES
    for route in pages(cast(Any, None), cast(Any, None)).routes()
    if "POST" in (route.methods or ())
)
EVIL = "https://evil.example"
ESCAPE = "\x1b[2J\x1b]0;owned\x07"


def _filled(action: str) -> str:
    values = {"key": "tiles", "id": "1", "job": "nightly", "action": "run"}
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], action)


@pytest.fixture(scope="module")
def url(cloud: Cloud, pair: Queues) -> Iterator[str]:
    words = ("--queue-url", pair.url, "--token", "act", "--look-token", "look")
    with console(cloud, *words, "--schedule", "http://127.0.0.1:9") as url:
        yield url
        assert "watchbot:paused" not in cloud.sqs.list_queue_tags(QueueUrl=pair.url).get("Tags", {})
        assert cloud.depth(pair.url) == (0, 0)
        assert "Nobody has done anything" in Person(url, Authorization="Bearer act").look("/audit")


def test_each_action_is_known_here() -> None:
    assert len(ACTIONS) >= 10


@pytest.mark.parametrize("action", ACTIONS)
def test_action_refuses_strangers(url: str, action: str) -> None:
    ann, path = Person(url, Authorization="Bearer act"), _filled(action)
    look = {"Authorization": "Bearer look"}
    fields: dict[str, Any] = {
        "ticket": ann.ticket("/queues/tiles"),
        "body": "b",
        "what": "delete",
        "which": "found",
    }

    def status(person: Person, sent: dict[str, Any] = fields, **headers: str) -> int:
        return person.post(path, sent, **headers).status_code

    assert status(Person(url)) == 401
    assert status(Person(url, Authorization="Bearer no")) == 401
    forged = Person(url, **{"x-forwarded-user": "root", "x-auth-request-email": "root"})
    assert status(forged) == 401
    assert status(Person(url, **look)) == 403
    assert status(ann, Origin=EVIL) == 403
    assert status(ann, Origin="null") == 403
    assert status(ann, Host="evil.example") == 400
    assert status(ann, {**fields, "ticket": "guessed"}) == 409
    assert status(ann, {}) == 409
    assert ann.get(f"{path}?ticket={fields['ticket']}").status_code in {400, 404, 405}


def test_ticket_is_for_whom_it_was_made(cloud: Cloud, pair: Queues) -> None:
    words = ("--queue-url", pair.url, "--user-header", "x-user", "--acting-user", "*")
    with console(cloud, *words) as url:
        ann, eve = Person(url, **{"x-user": "ann"}), Person(url, **{"x-user": "eve"})
        taken = {"ticket": ann.ticket("/queues/tiles")}

        assert eve.post("/queues/tiles/pause", taken).status_code == 409
        assert Person(url, **{"x-user": ""}).get("/").status_code == 401


def test_message_chooses_neither_page_nor_queue(cloud: Cloud, pair: Queues) -> None:
    """A letter whose body, attributes and evidence are all made up by who sent it."""
    elsewhere = cloud.queue("elsewhere")
    html = f"<script>fetch('{EVIL}')</script><a href='javascript:alert(1)'>x</a>{ESCAPE}"
    evidence = {"id": f"../../works/1?{html}", "queue": elsewhere, "url": elsewhere, "sent": "soon"}
    said = {
        "watchbot.reason": html.replace(ESCAPE, ""),
        "watchbot.fingerprint": f"{elsewhere}?'\"><",
        "watchbot.tail": html.replace(ESCAPE, ""),
        "watchbot.message": json.dumps(evidence),
        "watchbot.queue_url": elsewhere,
        "to": elsewhere,
    }
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
    body = html.replace(ESCAPE, "\\u001b[2J")
    message_id = cloud.send(
        pair.dead, json.dumps({"to": elsewhere, "text": body}), MessageAttributes=typed
    )
    with console(
        cloud, "--queue-url", pair.url, "--log-group", "/a", "--region", "us-east-1"
    ) as url:
        ann = Person(url)
        ann.send("/letters", "/letters/tiles/open")
        while message_id not in (listed := ann.get("/letters/tiles").text):
            assert "are open" in listed
        letter = ann.get(f"/letters/tiles/{message_id}").text
        began = ann.send("/letters/tiles", "/letters/tiles/act", what="replay", id=message_id)
        while "Done" not in (told := text_of(ann.get(began.url.removeprefix(url)).text)):
            assert "Under way" in told

    for document in (listed, letter):
        scripts = re.findall(r"<script[^>]*>", document)
        assert scripts == ['<script src="/console.js" defer>']
        targets = set(re.findall(r'(?:href|action|src)="([^"]*)"', document))
        assert all(
            each.startswith(("/", "?", "https://us-east-1.console.aws.")) for each in targets
        )
    assert cloud.depth(elsewhere) == (0, 0)
    assert len(cloud.take_all(pair.url)) == 1


def test_form_writes_no_escape_and_no_second_line_to_the_log(cloud: Cloud, pair: Queues) -> None:
    words = ("--queue-url", pair.url, "--port", "0")
    with cloud.started("console", *words) as process:
        (url,) = re.findall(r"console url=(\S+)", read_until(process, "serving the console"))
        ann = Person(url, Authorization="Basic YQobWzJK")  # the user is "a", a new line, an escape
        ann.send("/queues/tiles", "/queues/tiles/pause", reason=f"{ESCAPE}\nroot delete all")
        ann.send("/queues/tiles", "/queues/tiles/resume")
        process.terminate()
        logged = process.communicate(timeout=20)[0]

    assert len(re.findall("action", logged)) == 2
    assert [line for line in logged.splitlines() if not line.startswith("[")] == []
    assert "\x1b" not in logged


def test_proxy_beside_the_console_needs_no_token(cloud: Cloud, pair: Queues) -> None:
    """As docs/how-to/sign-in.md has it: on loopback, with the Host that the proxy serves."""
    public = "https://watchbot.example.com"
    words = ("--queue-url", pair.url, "--public-url", public, "--user-header", "x-forwarded-email")
    with console(cloud, *words, "--acting-user", "ann@example.com") as url:
        behind = {"Host": "watchbot.example.com", "Origin": public}
        ann = Person(url, **behind, **{"x-forwarded-email": "ann@example.com"})
        bob = Person(url, **behind, **{"x-forwarded-email": "bob@example.com"})

        assert ann.send("/queues/tiles", "/queues/tiles/resume").url == f"{url}/queues/tiles"
        assert bob.send("/queues/tiles", "/queues/tiles/resume").status_code == 403
        assert Person(url, **behind).get("/").status_code == 401
        assert "ann@example.com resume tiles" in ann.look("/audit")
