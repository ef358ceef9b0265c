"""Keeps a server on loopback: Python reads this file first where its folder is in PYTHONPATH.

LocalStack binds all addresses, whatever GATEWAY_LISTEN says, and ministack's brokers do.
"""

import socket
from typing import Any

LOOPBACK = {
    (socket.AF_INET, ""): "127.0.0.1",
    (socket.AF_INET, "0.0.0.0"): "127.0.0.1",
    (socket.AF_INET6, ""): "::1",
    (socket.AF_INET6, "::"): "::1",
}


class Socket(socket.socket):
    """Binds to loopback where all addresses are asked for."""

    def bind(self, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host, *more = address
            address = (LOOPBACK.get((self.family, host), host), *more)
        super().bind(address)


setattr(socket, "socket", Socket)  # noqa: B010 - a type checker forbids it in plain words
