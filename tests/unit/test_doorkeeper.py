"""Connections that the doorkeeper takes."""

import asyncio
import socket
from typing import Any

from watchbot.doorkeeper import Doorkeeper


class Talk(asyncio.Protocol):
    """Keeps how its connection was set up."""

    def __init__(self) -> None:
        self.sends_at_once = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        connection = transport.get_extra_info("socket")
        option = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.sends_at_once.set_result(option != 0)


async def test_answer_does_not_wait_for_the_client_to_confirm_its_first_part() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        talk: Any = Talk()
        door = asyncio.create_task(Doorkeeper(listener, lambda: talk).run())
        with socket.create_connection(listener.getsockname()):
            assert await talk.sends_at_once
        door.cancel()
