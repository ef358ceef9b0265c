"""An HTTP proxy on loopback that does to requests what networks and busy servers do."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields

HOST = "127.0.0.1"
HEAD_END = b"\r\n\r\n"
LONGEST_DELAY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The share of requests that meet each fault; what is left passes."""

    drop: float = 0.0  # the connection ends before the server has heard of it
    delay: float = 0.0
    error: float = 0.0  # 500, and the server has not heard of it
    throttle: float = 0.0
    lose: float = 0.0  # the server acts, and its reply is lost

    def pick(self, chance: random.Random) -> str:
        point = chance.random()
        for field in fields(self):
            point -= getattr(self, field.name)
            if point < 0:
                return field.name
        return "pass"


NO_FAULTS = Faults()
ALL_FAULTS = Faults(drop=0.02, delay=0.05, error=0.02, throttle=0.02, lose=0.02)


class Proxy:
    """Passes requests on to `port`, but for the faults of a seeded chance."""

    def __init__(self, port: int, faults: Faults, seed: int) -> None:
        self._port = port
        self._chance = random.Random(f"proxy {seed}")
        self.faults = faults
        self.counts: Counter[str] = Counter()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client until either side hangs up."""
        upstream: asyncio.StreamWriter | None = None
        try:
            source, upstream = await asyncio.open_connection(HOST, self._port)
            request = await _read(reader)
            while answer := await self._answer(request, source, upstream, reader):
                writer.write(answer)
                await writer.drain()
                request = await _read(reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side has hung up, and so does the other
        finally:
            for side in (writer, upstream):
                if side is not None:
                    side.close()

    async def _answer(
        self,
        request: bytes,
        source: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
        client: asyncio.StreamReader,
    ) -> bytes | None:
        fault = self.faults.pick(self._chance)
        self.counts[fault] += 1
        if fault == "drop":
            return None
        if fault == "error":
            return _refusal("500 Internal Server Error", "InternalFailure")
        if fault == "throttle":
            return _refusal("400 Bad Request", "RequestThrottled")
        if fault == "delay":
            await asyncio.sleep(self._chance.uniform(0, LONGEST_DELAY_S))  # the fault itself
        upstream.write(request)
        await upstream.drain()
        answer = await _unless_gone(source, client)
        return None if fault == "lose" else answer


@asynccontextmanager
async def running_proxy(port: int, faults: Faults, seed: int) -> AsyncIterator[Proxy]:
    """A proxy in this process, in front of `port`, until the block is left."""
    proxy = Proxy(port, faults, seed)
    open_ones: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(proxy.serve(reader, writer))
        open_ones.add(task)
        task.add_done_callback(open_ones.discard)

    server = await asyncio.start_server(connected, HOST, 0)
    proxy.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        left = list(open_ones)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _unless_gone(source: asyncio.StreamReader, client: asyncio.StreamReader) -> bytes:
    """The server's reply. A client that hangs up ends the wait, and with it its long poll."""
    reply = asyncio.ensure_future(_read(source))
    end = asyncio.ensure_future(_hung_up(client))
    try:
        await asyncio.wait((reply, end), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise ConnectionResetError
        return await reply
    finally:
        for task in (reply, end):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await end


async def _hung_up(client: asyncio.StreamReader) -> None:
    # No client of SQS sends its next request before it has the reply to the last.
    while not client.at_eof():
        await asyncio.sleep(0.05)  # a stream announces no end without taking what comes before it
        if client.exception():
            return


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Reads a request or a response, head and body."""
    head = await reader.readuntil(HEAD_END)
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"expect":  # none of ours: its body would wait for our word
            raise ConnectionResetError
    return head + await reader.readexactly(length)


def _refusal(status: str, code: str) -> bytes:
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "chaos"}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
