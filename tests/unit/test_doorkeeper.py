"""Connections that the doorkeeper takes, and those that it counts as late."""

import asyncio
import socket
import time
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from watchbot.doorkeeper import EXCHANGE_S, Doorkeeper, GuardedTalk


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


async def test_connection_that_is_just_being_made_is_not_late() -> None:
    talk = GuardedTalk(uvicorn.Config(lambda: None), ServerState(), {})

    # A look for late ones may come between the accept and the loop's word of the connection.
    assert not talk.is_late(time.monotonic() + EXCHANGE_S + 1)
