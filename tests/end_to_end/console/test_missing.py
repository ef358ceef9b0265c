"""Parts that the console cannot read are named, and the rest is shown."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.cloud import Cloud
from tests.support.console import Person, console
from tests.support.dead_letters import Queues
from tests.support.programs import read_until, stop


def test_databases_that_are_down_at_the_start_are_named(cloud: Cloud, pair: Queues) -> None:
    """A console that starts in the night of an outage shows the rest, and acts."""
    down = "postgresql://u:secret@127.0.0.1:9/x"
    words = ("--queue-url", pair.url, "--failures", down, "--database", down, "--record", down)
    with cloud.started("console", "--port", "0", *words) as process:
        said = read_until(process, "serving the console")
        ann = Person(re.findall(r"console url=(\S+)", said)[0])
        ann.send("/queues/tiles", "/queues/tiles/pause", reason="an outage")
        pages = {path: ann.look(path) for path in ("/", "/failures", "/failures/f1", "/audit")}
        ann.send("/queues/tiles", "/queues/tiles/resume")
        said += stop(process)

    assert "failures not seen" in said
    assert "audit not in the database" in said
    assert "secret" not in said
    assert "paused tiles: an outage" in pages["/"]
    assert "not seen failures: " in pages["/"]
    assert "not seen tasks: " in pages["/"]
    for path, page in pages.items():
        assert "Connection refused" in page, path
        assert "secret" not in page


def test_watcher_that_hangs_or_is_old_is_named(cloud: Cloud, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, _old_watcher(tmp_path) as old:
        hangs = f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"
        with console(cloud, "--watcher", hangs, "--watcher", old) as url:
            first = _shown(Person(url), "/", f"{hangs}: timed out")
            runs = _shown(Person(url), "/runs", "too old: it has no /v1/runs")

    assert f"{old} 0 of 4" in first
    assert f"{hangs} (timed out)" in runs


@contextmanager
def _old_watcher(folder: Path) -> Iterator[str]:
    """The metrics of a watcher of a version without /v1/runs and /v1/workers."""
    (folder / "metrics").write_text(
        'watchbot_build_info{version="0"} 1\nwatchbot_workers_limit 4\n'
    )
    (folder / "failures").write_text("[]")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def _shown(person: Person, path: str, words: str) -> str:
    for _ in range(400):
        if words in (text := person.look(path)):
            return text
        time.sleep(0.05)  # leaves the processor to those that are waited for
    raise AssertionError(f"{path} never shows {words!r}: {text}")
