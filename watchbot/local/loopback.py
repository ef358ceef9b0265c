"""Serves a WSGI application on loopback, in threads of this process, with a quick shutdown."""

import html
import io
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from threading import Lock, Thread, current_thread
from typing import Any
from urllib.parse import urlsplit

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from watchbot.errors import SettingError

OURS = ("127.0.0.1", "localhost", "::1", "host.docker.internal")  # the last: from a container
HOST = "127.0.0.1"  # never a public address, because the server checks no credentials
STOP_POLL_S = 0.1
STOP_S = 2  # how long a stop waits for calls in progress

log = logging.getLogger(__name__)


@contextmanager
def serving(
    app: Any, talk: type["KeptConnection"], listener: socket.socket, end_waits: Callable[[], None]
) -> Iterator[str]:
    """Serves `app` until the block is left; yields its URL.

    `end_waits` ends the long polls, so that a stop need not wait for them.
    """
    server = LoopbackServer(app, talk, listener)
    accepting = Thread(target=server.serve_forever, args=(STOP_POLL_S,), daemon=True)
    accepting.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.shutdown()
        accepting.join()
        end_waits()
        server.hang_up()


def listening(port: int) -> socket.socket:
    """Opens a listening socket; port 0 means any free port. Raises `SettingError`."""
    # werkzeug itself prints three lines and calls sys.exit if the port is in use.
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as fault:
        reason = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else fault
        problem = f"cannot listen on {HOST}:{port} ({reason}); choose another, or 0 for any"
        raise SettingError("--port (WATCHBOT_PORT)", problem) from fault


def foreign(headers: Message) -> str | None:
    """The header which shows that a foreign web page sent the request; None if no header does.

    A browser sends a page's forms to any address, and moto has an address that deletes everything.
    A foreign host name is how a page gets around the browser's same-origin policy.
    """
    host = urlsplit(f"//{headers.get('Host', HOST)}").hostname
    if not _is_ours(host):
        return "Host"
    origin = headers.get("Origin")
    if origin is not None and not _is_ours(urlsplit(origin).hostname):
        return "Origin"
    return "Sec-Fetch-Site" if headers.get("Sec-Fetch-Site") == "cross-site" else None


def _is_ours(host: str | None) -> bool:
    return host in OURS or (host or "").endswith(".localhost")  # as BUCKET.localhost


def one_at_a_time(app: Any) -> Any:
    """Wraps a WSGI application so that each call begins after the end of the call before."""
    lock = Lock()

    def call(environ: Any, start_response: Any) -> Any:
        with lock:
            return app(environ, start_response)

    return call


class KeptConnection(WSGIRequestHandler):
    """Handles the requests of one connection in order, without a log.

    werkzeug's own handler closes the connection after each answer, because it does not know where
    an unread body ends. So each call costs a connection and a thread. This handler reads the body
    first.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # because an answer is two writes: head and body

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        chunked = "wsgi.input_terminated" in environ
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read() if chunked else self.rfile.read(size)
        environ["wsgi.input"] = io.BytesIO(body)
        if name := foreign(self.headers):
            self._refuse(403, "AccessDenied", f"{name}: this AWS answers to this machine alone")
            return
        if problem := self._flaw(body):
            self._refuse(400, "SerializationException", problem)
            return
        try:
            answer, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except (NotImplementedError, ImportError) as gap:
            # The extra `local` leaves out the libraries of some services, as CloudFormation.
            # Clients retry a 500, but not a 501.
            self._refuse(501, "NotImplemented", f"the embedded AWS lacks this: {gap}")
        except Exception as fault:  # one failed request must not stop the others
            log.exception("a local call failed", extra={"path": self.path})
            self._refuse(500, "InternalFailure", repr(fault))
        else:
            self._answer(status, headers, b"".join(answer))

    def _flaw(self, body: bytes) -> str | None:
        """The fault of a body that should be JSON, or None: moto takes broken JSON for empty."""
        if not body or "json" not in self.headers.get("content-type", ""):
            return None
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:
            return f"the body is no JSON: {error}"
        if "x-amz-target" in self.headers and not isinstance(parsed, dict):
            return "the body is no JSON object"
        return None

    def _refuse(self, status: int, code: str, text: str) -> None:
        """Answers with an error in the client's protocol, because SDKs cannot read an HTML page."""
        if "json" in self.headers.get("content-type", ""):
            kind, body = "application/x-amz-json-1.0", json.dumps({"__type": code, "message": text})
        else:
            error = f"<Code>{code}</Code><Message>{html.escape(text)}</Message>"
            kind, body = "text/xml", f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        self._answer(f"{status} {code}", [("Content-Type", kind)], body.encode())

    def _answer(self, status: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class LoopbackServer(ThreadedWSGIServer):
    """Serves the connections of a listening socket, each in a thread."""

    def __init__(self, app: Any, talk: type[KeptConnection], listener: socket.socket) -> None:
        self._talks: dict[Thread, socket.socket] = {}
        port = listener.getsockname()[1]
        super().__init__(HOST, port, app, talk, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handles a connection in a thread that `hang_up` can end."""
        work = (request, client_address)
        thread = Thread(target=self.process_request_thread, args=work, daemon=True)
        self._talks[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._talks[current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("a local connection failed")

    def hang_up(self) -> None:
        """Ends every connection after its current answer, and the connection's thread."""
        talks = dict(self._talks)
        for connection in talks.values():
            with suppress(OSError):  # the connection's thread has just closed it
                connection.shutdown(socket.SHUT_RD)
        ends = time.monotonic() + STOP_S
        for thread in talks:
            thread.join(max(0.0, ends - time.monotonic()))
