"""Connections that the doorkeeper takes, and those that it counts as late."""

import asyncio
import socket
import time
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from watchbot.doorkeeper import EXCHANGE_S, Doorkeeper, GuardedTalk


class Talk(asyncio.Protocol):
    """Keeps how its connection was set up, and how often."""

    def __init__(self) -> None:
        self.sends_at_once: list[bool] = []
        self.made, self.over = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        connection = transport.get_extra_info("socket")
        option = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.sends_at_once.append(option != 0)
        self.made.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.over.set()


async def test_connection_is_made_once_and_sends_each_part_of_an_answer_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        talk: Any = Talk()
        door = asyncio.create_task(Doorkeeper(listener, lambda: talk).run())
        with socket.create_connection(listener.getsockname()):
            await talk.made.wait()
        await talk.over.wait()
        door.cancel()

    assert talk.sends_at_once == [True]


async def test_connection_that_is_just_being_made_is_not_late() -> None:
    talk = GuardedTalk(uvicorn.Config(lambda: None), ServerState(), {})

    # A look for late ones may come between the accept and the loop's word of the connection.
    assert not talk.is_late(time.monotonic() + EXCHANGE_S + 1)
