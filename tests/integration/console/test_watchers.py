"""What the console reads of its watchers, whatever answers at their addresses."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from watchbot.console.watchers import Watchers

METRICS = 'watchbot_build_info{version="9"} 1\nwatchbot_workers_limit 4\n'
NOTHING = {
    "/metrics": METRICS,
    "/failures": "[]",
    "/v1/workers": '{"running": []}',
    "/v1/runs": "[]",
}


@dataclass
class Server:
    """Serves `pages`, which may be changed, and counts what it is asked."""

    url: str
    pages: dict[str, str]
    asked: Counter[str] = field(default_factory=Counter)


@contextmanager
def serving(**pages: str) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = server.pages.get(self.path)
            server.asked[self.path] += 1
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_port}/metrics", {**NOTHING, **pages})
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


def failures(**counts: int) -> str:
    told = (
        f'{{"fingerprint": "{name}", "how": "exit code 1", "count": {count}, "last": "z"}}'
        for name, count in counts.items()
    )
    return f"[{', '.join(told)}]"


@pytest.mark.parametrize(
    "pages",
    [
        {"/failures": "{"},
        {"/failures": "7"},
        {"/failures": '[{"fingerprint": "f", "how": "", "count": Infinity, "last": ""}]'},
        {"/v1/workers": '{"running": [{"progress": ["a"]}]}'},
        {"/v1/workers": '{"running": [7]}'},
        {"/v1/workers": "[" * 100_000},
    ],
    ids=["no-json", "no-list", "infinite", "progress", "no-object", "deep"],
)
async def test_stranger_at_a_watchers_address_is_named(pages: Mapping[str, str]) -> None:
    with serving(**pages) as server:
        watchers = Watchers([server.url], None)
        await watchers.read()

    (view,) = watchers.views.values()
    assert view.problem == "its /failures or /v1/workers are not those of a watcher"


async def test_runs_that_are_no_runs_are_left_out() -> None:
    with serving(**{"/v1/runs": "[" * 100_000}) as server:
        watchers = Watchers([server.url], None)
        await watchers.read()

    (view,) = watchers.views.values()
    assert (view.problem, view.runs) == (None, None)


async def test_each_page_is_asked_once_a_round() -> None:
    with serving() as server:
        await Watchers([server.url], None).read()

    assert server.asked == dict.fromkeys(NOTHING, 1)


async def test_failures_are_counted_from_the_second_reading_on() -> None:
    with serving(**{"/failures": failures(old=5)}) as server:
        watchers = Watchers([server.url], None)
        await watchers.read()
        server.pages["/failures"] = failures(old=7, new=1)
        await watchers.read()
        server.pages["/failures"] = failures(old=2, new=1)  # the watcher began anew
        await watchers.read()

    grown = {kind.fingerprint: sum(kind.minutes) for kind in watchers.failing()}
    assert grown == {"old": 4, "new": 1}


async def test_name_that_cannot_be_looked_up_is_a_problem() -> None:
    watchers = Watchers([], "a..b:9090")
    await watchers.read()

    assert watchers.problem is not None
    assert watchers.problem.startswith("a..b: ")
