"""Sources of an import that are malformed: one error, which says what is wrong."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from watchbot.errors import DatabaseError, SettingError
from watchbot.schedule.imports.sources import Found, jobs_in
from watchbot.settings.base import AwsEndpoint


async def read(source: str) -> list[Found]:
    return [found async for found in jobs_in(source, AwsEndpoint())]


@pytest.mark.parametrize(
    "source", ["http://[::1/old", "http://host:port/old", "http://h:99999/i", "ftp://x", "sqlite:"]
)
async def test_address_that_is_none(source: str) -> None:
    with pytest.raises(SettingError, match="--source"):
        await read(source)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
async def test_file_that_is_no_json(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "jobs.json").write_bytes(text)

    with pytest.raises(SettingError, match="cannot read"):
        await read(str(tmp_path / "jobs.json"))


@pytest.mark.parametrize("data", [None, 5, b"\xff", "[", "[" * 100_000, "[]"])
async def test_row_that_is_no_job(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (id, data)")
        connection.execute("INSERT INTO jobs VALUES ('j', ?)", (data,))
        connection.commit()

    ((name, verdict),) = await read(f"sqlite:///{path}")

    assert name == "j"
    assert str(verdict).startswith("its data are no JSON")


async def test_file_without_the_table(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, " * 100)

    with pytest.raises(DatabaseError):
        await read(f"sqlite:///{tmp_path}/text.db")


@pytest.mark.parametrize(
    "answer", ["[]", "{", "5", '{"hits": []}', '{"hits": {"hits": {}}}', '{"hits": {"hits": [5]}}']
)
async def test_answer_that_is_no_search(answer: str) -> None:
    with server(answer) as url, pytest.raises(DatabaseError, match="no answer of Elasticsearch"):
        await read(url)


async def test_hit_that_is_no_job() -> None:
    hits = [{"_id": "a"}, {"_id": "b", "_source": []}, {"_id": "c", "_source": {"schedule": "0"}}]
    with server(json.dumps({"hits": {"hits": hits}})) as url:
        found = await read(url)

    refused = "it is no JSON object"
    assert found == [("a", refused), ("b", refused), ("c", {"schedule": "0"})]


async def test_password_does_not_go_where_a_redirect_leads() -> None:
    asked: list[str] = []
    with server("{}", asked) as elsewhere, server(elsewhere, status=302) as url:
        with pytest.raises(DatabaseError, match="the server redirects to") as refused:
            await read(url.replace("//", "//me:secret@"))

    assert asked == []
    assert "secret" not in str(refused.value)


@contextmanager
def server(answer: str, asked: list[str] | None = None, status: int = 200) -> Iterator[str]:
    """Answers anything with this; a redirect leads there."""

    class Talk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if asked is not None:
                asked.append(str(self.headers["authorization"]))
            self.send_response(status)
            if status == 302:
                self.send_header("location", answer)
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST  # noqa: N815 - as http.server calls it

        def log_message(self, format: str, *args: Any) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Talk)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/old"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
