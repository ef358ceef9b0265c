"""A watcher in an ECS service asks the agent to spare its task while it works."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.cloud import Cloud


class Agent(BaseHTTPRequestHandler):
    asked: list[bool]

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body["ProtectionEnabled"])
        answer = json.dumps({"protection": body}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def agent() -> Iterator[tuple[str, list[bool]]]:
    asked: list[bool] = []
    handler = type("ThisAgent", (Agent,), {"asked": asked})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/x", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("options", "told"), [([], [True, False]), (["--no-protection"], [])])
def test_task_is_protected_while_it_works(
    cloud: Cloud, agent: tuple[str, list[bool]], options: list[str], told: list[bool]
) -> None:
    uri, asked = agent
    queue = cloud.queue(f"protected-{len(options)}")
    cloud.send(queue, "x")

    done = cloud.listen(queue, *options, "sleep 0.5", env={"ECS_AGENT_URI": uri})

    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    assert asked == told
