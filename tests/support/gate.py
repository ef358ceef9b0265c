"""A gate before the cloud: it sees each request, and does to it what a test asks for."""

import contextlib
import http.client
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """A call of AWS: `operation` in SQS's name, its parameters in `body`, and its key."""

    operation: str
    body: dict[str, Any]
    access_key: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The cloud does not hear of it; the answer is this status and code."""

    status: int = 500
    code: str = "InternalFailure"


@dataclass(frozen=True, slots=True)
class Lose:
    """The cloud acts; its answer is lost."""


@dataclass(frozen=True, slots=True)
class Garble:
    """The cloud does not hear of it; somebody in between answers, and not in SQS's way."""

    status: int
    body: bytes
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Hold:
    """Neither heard of nor answered until this is set; then it passes."""

    until: threading.Event


JSON = "application/x-amz-json-1.0"
Rule = Callable[[str, dict[str, Any], str], Refuse | Lose | Garble | Hold | None]


class Gate:
    """Passes requests on, but for what `rule(operation, body, access key)` does to them."""

    def __init__(self, url: str) -> None:
        self._cloud = urlsplit(url).netloc
        self._lock = threading.Lock()
        self._seen: list[Request] = []
        self.rule: Rule = lambda *_: None
        self.url = ""

    def seen(self, *operations: str) -> list[Request]:
        """The requests of these operations that were answered, in order."""
        with self._lock:
            return [request for request in self._seen if request.operation in operations]

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        """Answers one request, or hangs up."""
        began = time.monotonic()
        body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
        operation = asked.headers.get("X-Amz-Target", "").rpartition(".")[2]
        parameters = json.loads(body) if operation else {}
        access_key = asked.headers.get("Authorization", "").partition("Credential=")[2]
        access_key = access_key.partition("/")[0]
        verdict = self.rule(operation, parameters, access_key)
        if isinstance(verdict, Hold):
            verdict.until.wait(60)
        ended = time.monotonic()  # before the answer: a client that has it may call at once
        if isinstance(verdict, Refuse):
            answer = {"__type": f"com.amazonaws.sqs#{verdict.code}", "message": "no"}
            _answer(asked, verdict.status, json.dumps(answer).encode(), JSON)
        elif isinstance(verdict, Garble):
            _answer(asked, verdict.status, verdict.body, verdict.content_type)
        else:
            self._pass(asked, body, lost=isinstance(verdict, Lose))
        request = Request(operation, parameters, access_key, began, ended)
        with self._lock:
            self._seen.append(request)

    def _pass(self, asked: BaseHTTPRequestHandler, body: bytes, *, lost: bool) -> None:
        cloud = http.client.HTTPConnection(self._cloud, timeout=60)
        with contextlib.closing(cloud):
            cloud.request(asked.command, asked.path, body, dict(asked.headers))
            reply = cloud.getresponse()
            data = reply.read()
        if lost:
            asked.close_connection = True
            return
        asked.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                asked.send_header(name, value)
        asked.send_header("Content-Length", str(len(data)))
        asked.end_headers()
        asked.wfile.write(data)


def _answer(asked: BaseHTTPRequestHandler, status: int, body: bytes, content_type: str) -> None:
    asked.send_response(status)
    asked.send_header("Content-Type", content_type)
    asked.send_header("Content-Length", str(len(body)))
    asked.end_headers()
    asked.wfile.write(body)


@contextlib.contextmanager
def running_gate(url: str) -> Iterator[Gate]:
    """A gate before the cloud at `url`, until the block is left."""
    gate = Gate(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                gate.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # a client that keeps its connection must not keep us

        def handle_error(self, *_: object) -> None:
            pass  # a client was killed in the midst of a request

    with Server(("127.0.0.1", 0), Handler) as server:
        gate.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield gate
        finally:
            server.shutdown()
            thread.join()


HIDE, DELETE, RECEIVE = "ChangeMessageVisibilityBatch", "DeleteMessageBatch", "ReceiveMessage"


def through(gate: Gate, **more: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": gate.url, **more}


def entries(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request.body["Entries"]
    return found
