"""A WSGI application served on loopback by threads of this process: quick calls, a quick end."""

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
HOST = "127.0.0.1"  # whoever reaches the server may do anything: it asks for no credentials
STOP_POLL_S = 0.1
STOP_S = 2  # what calls in progress get when the server stops

log = logging.getLogger(__name__)


@contextmanager
def serving(
    app: Any, talk: type["KeptConnection"], listener: socket.socket, end_waits: Callable[[], None]
) -> Iterator[str]:
    """The URL at which `app` is served until the block is left.

    `end_waits` makes the calls return that are held back on purpose.
    """
    server = Server(app, talk, listener)
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
    """A socket that takes connections; port 0 is any free one. Else raises `SettingError`."""
    # werkzeug, left to bind a port in use, prints three lines and calls sys.exit.
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as fault:
        reason = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else fault
        problem = f"cannot listen on {HOST}:{port} ({reason}); choose another, or 0 for any"
        raise SettingError("--port (WATCHBOT_PORT)", problem) from fault


def foreign(headers: Message) -> str | None:
    """The header that says that a web page of somebody else is asking; None where none does.

    A browser sends a page's forms anywhere, and moto has an address that wipes all. A name that is
    not this machine's is how a page gets around the browser's own rules.
    """
    host = urlsplit(f"//{headers.get('Host', HOST)}").hostname
    if not _is_ours(host):
        return "Host"
    origin = headers.get("Origin")
    if origin is not None and not _is_ours(urlsplit(origin).hostname):
        return "Origin"
    return "Sec-Fetch-Site" if headers.get("Sec-Fetch-Site") == "cross-site" else None


def _is_ours(host: str | None) -> bool:
    return host in OURS or (host or "").endswith(".localhost")  # a bucket's name comes before


def one_at_a_time(app: Any) -> Any:
    """This WSGI application, which begins a call when the one before has ended."""
    lock = Lock()

    def call(environ: Any, start_response: Any) -> Any:
        with lock:
            return app(environ, start_response)

    return call


class KeptConnection(WSGIRequestHandler):
    """The requests of one connection, one after the other, without a log.

    werkzeug's own closes the connection after each answer, because it cannot tell where a body
    ends that nobody read; so each call costs a connection and a thread. Here the body is read
    before anything else.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two writes: head, body

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
            # A service of moto's whose libraries the extra `local` leaves out, CloudFormation for
            # one. Clients try a 500 again, a 501 not.
            self._refuse(501, "NotImplemented", f"the embedded AWS lacks this: {gap}")
        except Exception as fault:  # of one request: the others go on
            log.exception("a local call failed", extra={"path": self.path})
            self._refuse(500, "InternalFailure", repr(fault))
        else:
            self._answer(status, headers, b"".join(answer))

    def _flaw(self, body: bytes) -> str | None:
        """What is wrong with a body that is to be JSON: moto reads a broken one as an empty one."""
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
        """An error in the client's own protocol: the SDKs choke on a page for people."""
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


class Server(ThreadedWSGIServer):
    """Answers the connections of a socket that listens already, a thread for each."""

    def __init__(self, app: Any, talk: type[KeptConnection], listener: socket.socket) -> None:
        self._talks: dict[Thread, socket.socket] = {}
        port = listener.getsockname()[1]
        super().__init__(HOST, port, app, talk, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers a connection in a thread that `hang_up` knows of."""
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
        """Ends every connection after the answer that it is at, and its thread."""
        talks = dict(self._talks)
        for connection in talks.values():
            with suppress(OSError):  # its thread has closed it just now
                connection.shutdown(socket.SHUT_RD)
        ends = time.monotonic() + STOP_S
        for thread in talks:
            thread.join(max(0.0, ends - time.monotonic()))
