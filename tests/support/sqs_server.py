"""SQS on loopback for tests: fast, all in memory, for any client that speaks its JSON protocol.

Run as `python -m tests.support.sqs_server --port 0`, it prints its URL and serves until SIGTERM.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

from tests.support.sqs_actions import Fault, Sqs
from tests.support.sqs_wire import Answer
from watchbot.errors import Rejected
from watchbot.lifecycle import Stop, run

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
HEAD_END = b"\r\n\r\n"

# The codes that SQS spelled otherwise before it spoke JSON; boto still goes by those.
OLD_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    **{
        code: f"AWS.SimpleQueueService.{code}"
        for code in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "MessageNotInflight",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    },
}


class Connection(asyncio.Protocol):
    """A client: gets its answers in order, and its poll ends when it hangs up."""

    def __init__(self, sqs: Sqs, open_ones: "set[Connection]") -> None:
        self._sqs, self._open_ones = sqs, open_ones
        self._stream = asyncio.StreamReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._open_ones.add(self)
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._stream.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        # A receive that is cancelled while it waits has taken no message along.
        self._serving.cancel()
        self._open_ones.discard(self)

    async def end(self) -> None:
        """Hangs up, whatever is being answered."""
        self._serving.cancel()
        await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        try:
            while await self._answer_next():
                pass
        finally:
            self._transport.close()

    async def _answer_next(self) -> bool:
        """Whether the client may ask again."""
        headers = _headers(await self._stream.readuntil(HEAD_END))
        body = await self._stream.readexactly(int(headers.get("content-length", "0")))
        self._transport.write(await _answered(self._sqs, headers.get("x-amz-target", ""), body))
        return headers.get("connection", "").lower() != "close"


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


async def _answered(sqs: Sqs, target: str, body: bytes) -> bytes:
    try:
        answer = await sqs.answer(target.rpartition(".")[2], json.loads(body or b"{}"))
    except (Fault, Rejected) as error:
        return _refusal(error.code, error.text)
    except KeyError as missing:
        return _refusal("MissingParameter", f"the request has no {missing}")
    except ValueError as wrong:
        return _refusal("InvalidParameterValue", str(wrong))
    return _response("200 OK", answer)


def _refusal(code: str, text: str) -> bytes:
    answer = {"__type": f"com.amazonaws.sqs#{code}", "message": text}
    old = f"x-amzn-query-error: {OLD_CODES.get(code, code)};Sender\r\n"
    return _response("400 Bad Request", answer, old)


def _response(status: str, answer: Answer, more_headers: str = "") -> bytes:
    body = json.dumps(answer).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"{more_headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def running_sqs_server(*, port: int = 0, latency_s: float = 0) -> AsyncIterator[Sqs]:
    """An SQS in this process, without queues at first, until the block is left."""
    sqs = Sqs("", latency_s=latency_s)
    open_ones: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sqs, open_ones), HOST, port)
    sqs.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield sqs
    finally:
        server.close()
        for connection in list(open_ones):
            await connection.end()


@contextmanager
def sqs_server_process(*, latency_ms: float = 0) -> Iterator[str]:
    """The URL of an SQS in a process of its own, until the block is left."""
    words = ("-m", "tests.support.sqs_server", "--port", "0", "--latency-ms", str(latency_ms))
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> int:
    """Serves until it is asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.sqs_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every call")
    options = parser.parse_args()

    async def serve(stop: Stop) -> int:
        latency_s = options.latency_ms / 1000
        async with running_sqs_server(port=options.port, latency_s=latency_s) as sqs:
            sys.stdout.write(f"{sqs.url}\n")
            sys.stdout.flush()
            await stop.draining.wait()
        return 0

    return run(serve)


if __name__ == "__main__":
    sys.exit(main())
