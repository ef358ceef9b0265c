"""A server that answers every request with status 200 and what a test hands it."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering:
    """Says `body`, as `kind`, whatever is asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.body, self.kind = "{}", "application/x-amz-json-1.0"
        self.asked = 0

    def say(self, body: str, kind: str = "application/x-amz-json-1.0") -> None:
        self.body, self.kind = body, kind


@contextlib.contextmanager
def answering() -> Iterator[Answering]:
    """Runs the server until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            server.asked += 1
            body = server.body.encode()
            self.send_response(200)
            self.send_header("content-type", server.kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = Answering(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
