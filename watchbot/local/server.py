"""The embedded AWS of `watchbot local`: moto's server in a thread, its SQS mended.

moto 5.2 as it comes takes 5 messages a second from a queue where 5,000 wait, and under concurrent
receives hands some out twice and some never. What is replaced here says which fault it mends.
"""

import base64
import copy
import functools
import io
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition, RLock, Thread, current_thread
from typing import Any, cast

from watchbot.errors import MissingExtra, SettingError
from watchbot.local.backlog import Backlog, Entry, State

try:
    import flask
    from moto.core import responses
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server import werkzeug_app
    from moto.sqs import models
    from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
    from werkzeug.serving import ThreadedWSGIServer
    from werkzeug.test import run_wsgi_app
except ImportError as missing:
    raise MissingExtra("local", "watchbot local") from missing

HOST = "127.0.0.1"  # whoever reaches this server may do anything: it asks for no credentials
STOP_POLL_S = 0.1
STOP_S = 2  # what a request in progress gets when the server stops
MAX_VISIBILITY_S = 43_200
DEDUPLICATION_MS = 300_000

log = logging.getLogger(__name__)

# One for all queues: a redrive moves a message from one to another. Never held through a wait.
_lock = RLock()


@contextmanager
def running_server(port: int = 0) -> Iterator[str]:
    """The URL of an empty AWS that this process serves on loopback until the block is left.

    Port 0 is any free one. All is kept in memory, and is gone afterwards. One at a time: moto has
    one state per process. Raises `SettingError` when the port cannot be had.
    """
    with _listening(port) as listening:
        _mend()
        moto_api_backend.reset()
        server = Server(listening)
        accepting = Thread(target=server.serve_forever, args=(STOP_POLL_S,), daemon=True)
        accepting.start()
        try:
            yield f"http://{HOST}:{server.port}"
        finally:
            server.shutdown()
            accepting.join()
            _end_polls()
            server.hang_up()
            moto_api_backend.reset()


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        problem = f"cannot listen on {HOST}:{port} ({reason}); choose another, or 0 for any"
        raise SettingError("--port (WATCHBOT_PORT)", problem) from fault


def _end_polls() -> None:
    for _, _, backend in models.sqs_backends.iter_backends():
        for queue in cast(Backend, backend).queues.values():
            cast(Queue, queue).close()


# ------------------------------------------------------------------------------------ HTTP


class Talk(werkzeug_app.MotoRequestHandler):
    """The requests of one connection, one after the other, without a log.

    werkzeug's own closes the connection after each answer; then each call of a client costs a
    connection and a thread. It does so because it cannot know where a body that nobody read ends;
    here the body is read first.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two writes: head, body
    server: "Server"

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        size = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = environ.get("wsgi.input_terminated")
        body = environ["wsgi.input"].read() if chunked else self.rfile.read(size)
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except Exception as fault:  # one request must not end the others
            log.exception("the embedded AWS cannot do this", extra={"path": self.path})
            known = isinstance(fault, NotImplementedError)  # 501 isn't tried again by clients
            self.send_error(501 if known else 500, explain=repr(fault))
            return
        code, _, reason = status.partition(" ")
        self._answer(int(code), reason, headers, b"".join(answer))

    def _answer(
        self, code: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> None:
        self.send_response(code, reason)
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
    """Serves moto on a socket that listens already, a thread for each connection."""

    def __init__(self, listening: socket.socket) -> None:
        self._talks: dict[Thread, socket.socket] = {}
        port = listening.getsockname()[1]
        super().__init__(HOST, port, Dispatcher(), Talk, fd=listening.fileno())

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
        log.exception("the embedded AWS lost a connection")

    def hang_up(self) -> None:
        """Ends every connection, and its thread."""
        talks = dict(self._talks)
        for connection in talks.values():
            with suppress(OSError):  # its thread has closed it just now
                connection.shutdown(socket.SHUT_RD)
        ends = time.monotonic() + STOP_S
        for thread in talks:
            thread.join(max(0.0, ends - time.monotonic()))


class Dispatcher(werkzeug_app.DomainDispatcherApplication):
    """moto's choice of the service a request is for, made once per host name.

    moto lists its own directory for every request to find it: 175 calls of stat, half of the
    0.9 ms that a small request cost.
    """

    def __init__(self) -> None:
        super().__init__(werkzeug_app.create_backend_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


def _caller_left() -> bool:
    """Whether the client that this thread answers has closed its connection meanwhile."""
    if not flask.has_request_context():
        return False
    connection: socket.socket = flask.request.environ["werkzeug.socket"]
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:  # open, and silent: it waits for us
        return False
    except OSError:
        return True


# ------------------------------------------------------------------------------------- SQS


class Queue(models.Queue):
    """moto's queue, with its messages in a `Backlog`.

    moto looks at each message of the queue to send one, to receive (three times for each message
    received), to delete and to hide one; with 5,000 waiting a receive of ten took 2 s.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.backlog: Backlog[models.Message] = Backlog()
        self.news = Condition(_lock)
        self.closed = False
        self._sent: dict[tuple[str | None, str | None], models.Message] = {}
        super().__init__(*args, **kwargs)

    @property
    def approximate_number_of_messages(self) -> int:
        with _lock:
            return self.backlog.count(State.WAITING)

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        with _lock:
            return self.backlog.count(State.DELAYED)

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        with _lock:
            return self.backlog.count(State.OUT)

    def close(self) -> None:
        """Ends the polls that wait, and lets none wait any more."""
        with _lock:
            self.closed = True
            self.news.notify_all()

    def add_message(self, message: models.Message) -> None:
        """Takes a message that was sent; the repetition of one in a FIFO queue becomes that one."""
        with _lock:
            if self.fifo_queue and self._is_repeated(message):
                return
            self._put(message, message.delayed_until / 1000 - time.time())
        if self.lambda_event_source_mappings:
            super().add_message(message)  # moto's own part starts the functions
            self._messages.clear()

    def take(self, count: int, hidden_s: int) -> list[models.Message]:
        """Up to `count` messages as they are handed out, hidden from others for so long."""
        taken: list[models.Message] = []
        lane = None
        while len(taken) < count and (entry := self.backlog.next(lane)):
            message = entry.message
            if self._is_expired(message):
                self.backlog.remove(entry)
            elif self._is_dead(message):
                self.backlog.remove(entry)
                cast(Queue, self.dead_letter_queue)._put(message, 0)
            else:
                lane = entry.lane
                self.backlog.take(entry, hidden_s)
                _mark_received(message)
                taken.append(copy.copy(message))
        return taken

    def delete_message(self, receipt_handle: str) -> None:
        with _lock:
            entry, is_latest = self._received(receipt_handle)
            if entry is None:
                return  # SQS too says yes to the deletion of what is gone
            if self.fifo_queue and not (is_latest and entry.state is State.OUT):
                raise _bad_receipt(receipt_handle, "The receipt handle has expired")
            if is_latest:  # else somebody else has it: SQS says yes, and keeps it
                self.backlog.remove(entry)
                self.news.notify_all()  # a FIFO group may go on

    def hide(self, receipt: str, seconds: int) -> None:
        """Hides a message that is out for so long from now."""
        with _lock:
            entry, is_latest = self._received(receipt)
            if entry is None or not is_latest:
                raise _bad_receipt(
                    receipt,
                    "Message does not exist or is not available for visibility timeout change",
                )
            if entry.state is not State.OUT:
                raise MessageNotInflight
            # moto counts the twelve hours from when the message was sent
            if self.backlog.out_for(entry) + seconds > MAX_VISIBILITY_S:
                raise InvalidParameterValue(
                    f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                )
            self.backlog.hide(entry, seconds)
            self.news.notify_all()

    def _put(self, message: models.Message, delay_s: float) -> None:
        group = message.group_id if self.fifo_queue else None
        place = self.backlog.add(message.id, message, group, delay_s)
        if self.fifo_queue:
            message.sequence_number = f"{place:020d}"  # moto's is random, and may be missing
        self.news.notify_all()

    def _is_repeated(self, message: models.Message) -> bool:
        """Whether one of this deduplication id was sent in the last five minutes.

        moto forgets the id once the first message was deleted.
        """
        by_group = self.deduplication_scope == "messageGroup"
        key = (message.group_id if by_group else None, message.deduplication_id)
        for old, first in list(self._sent.items()):
            ...
        return False

    def _received(self, receipt: str) -> tuple[Entry[models.Message] | None, bool]:
        """The message that this receipt was for, and whether it was received last with it."""
        try:
            key, receives = base64.urlsafe_b64decode(receipt).decode().split(" ")
        except ValueError:
            raise ReceiptHandleIsInvalid from None
        entry = self.backlog.find(key)
        return entry, bool(entry) and str(entry.message.approximate_receive_count) == receives
