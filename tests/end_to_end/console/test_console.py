"""`watchbot console` as a person uses it: what it shows, what it does, whom it refuses."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.support.cloud import Cloud
from tests.support.console import Person, console, text_of
from tests.support.dead_letters import Queues
from tests.support.programs import assert_refused, listen, read_until, stop

HTML = "text/html; charset=utf-8"


@pytest.fixture(scope="module")
def url(cloud: Cloud, pair: Queues) -> Iterator[str]:
    words = ("--queue-url", pair.url, "--token", "act", "--look-token", "look")
    with console(cloud, *words) as url:
        yield url


@pytest.fixture
def ann(url: str) -> Person:
    return Person(url, Authorization="Bearer act")


def test_quiet_console_says_so(ann: Person) -> None:
    text = ann.look("/")

    assert "All quiet" in text
    assert "tiles 0 0 0" in text
    assert "No watcher is read" in text
    for path in ("/failures", "/letters", "/runs", "/audit"):
        assert ann.get(path).status_code == 200


def test_queue_is_paused_and_resumed(cloud: Cloud, pair: Queues, ann: Person) -> None:
    paused = ann.send("/queues/tiles", "/queues/tiles/pause", reason="a deploy <b>")
    tags = cloud.sqs.list_queue_tags(QueueUrl=pair.url)["Tags"]
    first_page = ann.look("/")
    resumed = ann.send("/queues/tiles", "/queues/tiles/resume")

    assert "paused" in text_of(paused.text)
    assert tags["watchbot:paused"] == "a deploy _b_"
    assert "1 thing needs a person paused tiles: a deploy _b_" in first_page
    assert "tiles Resume" not in text_of(resumed.text)
    assert "watchbot:paused" not in cloud.sqs.list_queue_tags(QueueUrl=pair.url).get("Tags", {})
    audit = ann.look("/audit")
    assert "somebody resume tiles 1" in audit
    assert "somebody pause tiles 1 a deploy _b_" in audit


def test_message_is_sent(cloud: Cloud, pair: Queues, ann: Person) -> None:
    ann.send("/queues/tiles", "/queues/tiles/send", body='{"tile": 7}')

    (sent,) = cloud.take_all(pair.url)
    assert sent["Body"] == '{"tile": 7}'


def test_who_may_only_look_sees_all_and_does_nothing(url: str, ann: Person) -> None:
    bob = Person(url, Authorization="Bearer look")

    assert bob.get("/").status_code == 200
    assert '<form method="post"' not in bob.get("/queues/tiles").text
    refused = bob.post("/queues/tiles/pause", {"ticket": ann.ticket("/queues/tiles")})
    assert (refused.status_code, "you may look" in refused.text) == (403, True)


def test_strangers_are_refused(url: str, ann: Person) -> None:
    ticket = ann.ticket("/queues/tiles")
    fields = {"ticket": ticket, "reason": "evil"}

    assert Person(url).get("/").status_code == 401
    assert Person(url, Authorization="Bearer wrong").get("/").status_code == 401
    assert ann.get("/", Host="evil.example").status_code == 400
    foreign = ann.post("/queues/tiles/pause", fields, Origin="https://evil.example")
    assert (foreign.status_code, foreign.headers["content-type"]) == (403, HTML)
    assert "Not allowed Not for requests of another web site" in text_of(foreign.text)
    assert ann.post("/queues/tiles/pause", {"ticket": "guessed"}).status_code == 409
    assert ann.post("/queues/tiles/pause", {}).status_code == 409
    headers = ann.get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_proxy_names_the_user(cloud: Cloud, pair: Queues) -> None:
    words = ("--queue-url", pair.url, "--user-header", "x-user", "--acting-user", "ann")
    with console(cloud, *words) as url:
        ann, bob = Person(url, **{"x-user": "ann"}), Person(url, **{"x-user": "bob"})

        assert Person(url).get("/").status_code == 401
        assert bob.send("/queues/tiles", "/queues/tiles/pause").status_code == 403
        ann.send("/queues/tiles", "/queues/tiles/pause", reason="a look")
        ann.send("/queues/tiles", "/queues/tiles/resume")
        assert "ann pause tiles 1 a look" in ann.look("/audit")


def test_audit_outlives_the_console(
    cloud: Cloud, pair: Queues, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.db"
    words = ("--queue-url", pair.url, "--database", f"sqlite:///{path}")
    with console(cloud, *words) as url:
        Person(url).send("/queues/tiles", "/queues/tiles/pause", reason="kept")
        Person(url).send("/queues/tiles", "/queues/tiles/resume")

    with console(cloud, *words) as url:
        assert "somebody pause tiles 1 kept" in Person(url).look("/audit")


def test_failing_watcher_is_the_first_thing_seen(cloud: Cloud) -> None:
    queue = cloud.queue("failing")
    worker = "echo no such tile >&2; exit 7"
    shown = ("--metrics-token", "t", "--show-output", "--shell", worker)
    with served_with(cloud, queue, *shown) as watcher:
        words = ("--queue-url", queue, "--watcher", watcher, "--watcher-token", "t")
        with console(cloud, *words) as url:
            person = Person(url)
            _until(person, "/", "well")
            message_id = cloud.send(queue, "one")
            first = _until(person, "/", "failing exit")
            kinds = person.get("/failures")
            (link,) = set(re.findall(r"/failures/[0-9a-f]{16}", kinds.text))
            kind = person.look(link)
            runs = person.look("/runs?outcome=failed")

    assert re.search(r"1 thing needs a person failing exit code 7: \d+ in the last hour", first)
    assert re.search(r"exit code 7 \d+", text_of(kinds.text))
    assert "no such tile" in kind
    assert message_id in kind
    assert f"{message_id}" in runs


def test_watcher_shows_nothing_without_its_token(cloud: Cloud) -> None:
    queue = cloud.queue("guarded")
    with served_with(cloud, queue, "--metrics-token", "t", "true") as watcher:
        base = watcher.removesuffix("/metrics")
        asked = ("metrics", "failures", "v1/runs", "v1/workers")
        refused = {requests.get(f"{base}/{path}", timeout=10).status_code for path in asked}
        bearer = {"Authorization": "Bearer t"}
        shown = {
            requests.get(f"{base}/{path}", headers=bearer, timeout=10).status_code for path in asked
        }
        health = requests.get(f"{base}/healthz", timeout=10).status_code

    assert (refused, shown, health) == ({401}, {200}, 200)


def test_failures_outlive_their_watcher(
    cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    queue = cloud.queue("last-night")
    store = f"sqlite:///{tmp_path_factory.mktemp('failures')}/failures.db"
    message_id = cloud.send(queue, "one")
    words = ("--failures", store, "--shell", "echo broken; exit 9")
    with cloud.started(*listen(queue, *words)) as watcher:
        read_until(watcher, "failed")
        stop(watcher)

    with console(cloud, "--queue-url", queue, "--failures", store) as url:
        person = Person(url)
        kinds = _until(person, "/failures", "exit code 9")
        (link,) = set(re.findall(r"/failures/[0-9a-f]{16}", person.get("/failures").text))
        kind = person.look(link)

    assert "from the database of --failures" in kinds
    assert "What it said last broken Messages" in kind
    assert message_id in kind


@contextmanager
def served_with(cloud: Cloud, queue: str, *words: str) -> Iterator[str]:
    """A watcher with these options; where it serves its metrics."""
    port = ("--metrics-port", "0", "--metrics-host", "127.0.0.1")
    with cloud.started(*listen(queue, *port, *words)) as watcher:
        (url,) = re.findall(r"health url=(\S+)", read_until(watcher, "metrics and health url"))
        yield f"{url}/metrics"


def test_missing_parts_are_named_and_the_rest_is_shown(cloud: Cloud, pair: Queues) -> None:
    gone = pair.url.replace("tiles", "gone")
    words = ("--queue-url", pair.url, "--queue-url", gone, "--watcher", "http://127.0.0.1:9")
    with console(cloud, *words) as url:
        text = _until(Person(url), "/", "Connection refused")

    assert "not seen gone: " in text
    assert "watcher http://127.0.0.1:9/metrics: Connection refused" in text
    assert "tiles 0 0 0" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0"), "--token"),
        (("--token", "$TOKEN"), "set it to the secret itself"),
        (("--token-file", "/nowhere/token"), "cannot read '/nowhere/token'"),
        (("--watcher", "host:9090"), "--watcher"),
        (("--watchers-dns", "name"), "must be NAME:PORT"),
        (("--schedule", "name"), "must be a URL"),
        (("--database", "mysql://x"), "must be sqlite:///FILE"),
        (("--failures", "mysql://x"), "must be sqlite:///FILE"),
        (("--queue-url", "tiles"), "must be the URL of a queue"),
        (("--failures", "sqlite://x"), "--failures (WATCHBOT_FAILURES): must be sqlite:///FILE"),
        (("--look-token", "look"), "--look-token (WATCHBOT_LOOK_TOKEN): limits nobody"),
        (("--token", "act", "--look-token", "${LOOK}"), "--look-token (WATCHBOT_LOOK_TOKEN): is"),
    ],
)
def test_bad_options(cloud: Cloud, words: tuple[str, ...], said: str) -> None:
    assert_refused(cloud.watchbot("console", "--port", "0", *words), 2, said)


def test_each_log_line_is_json(cloud: Cloud, pair: Queues) -> None:
    words = ("--queue-url", pair.url, "--port", "0", "--structured-logging")
    with cloud.started("console", *words) as process:
        assert process.stdout
        line = json.loads(process.stdout.readline())
        process.terminate()
        rest = process.communicate(timeout=20)[0]

    assert line["name"] == "console"
    assert [json.loads(each) for each in rest.splitlines() if each.strip()] == []


def _until(person: Person, path: str, words: str) -> str:
    for _ in range(400):
        text = person.look(path)
        if words in text:
            return text
        time.sleep(0.05)  # leaves the processor to those that are waited for
    raise AssertionError(f"{path} never shows {words!r}: {text}")
