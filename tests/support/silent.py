"""A server that accepts every connection and never answers; it counts them."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Silent:
    """`url` is where it listens; `connections` is how many have come."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._taken: list[socket.socket] = []
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._taken)

    def accept(self) -> None:
        """Takes whoever comes, until closed."""
        with contextlib.suppress(OSError):
            while True:
                self._taken.append(self._listener.accept()[0])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for taken in self._taken:
            taken.close()


@contextlib.contextmanager
def silent_server() -> Iterator[Silent]:
    server = Silent(socket.create_server(("127.0.0.1", 0)))
    accepting = threading.Thread(target=server.accept)
    accepting.start()
    try:
        yield server
    finally:
        server.close()
        accepting.join()
