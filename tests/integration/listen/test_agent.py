"""What a watcher learns of its container from the agent of ECS, faked on loopback."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from watchbot.listen.agent import MAX_ANSWER_BYTES, this_container

LABEL = "com.amazonaws.ecs."
METADATA = {
    "Name": "work",
    "Labels": {
        f"{LABEL}task-arn": "arn:aws:ecs:eu-west-1:123456789012:task/c/0f",
        f"{LABEL}task-definition-family": "tiles",
        f"{LABEL}task-definition-version": "7",
    },
    "LogOptions": {"awslogs-group": "/tiles", "awslogs-stream": "work/0f"},
}
TURNS = 100  # of the event loop: enough for the client to read what was sent before


@asynccontextmanager
async def an_agent(*parts: bytes) -> AsyncIterator[str]:
    """The address of an agent whose answer's body comes in these parts."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(map(len, parts)))
        for part in parts:
            writer.write(part)
            for _ in range(TURNS):
                await asyncio.sleep(0)  # a turn for the reader, so that each part comes alone
        writer.close()
        with suppress(ConnectionError):  # the client has heard enough
            await writer.wait_closed()
        served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v4/0f"
        await served.wait()


def cut(body: bytes, *places: int) -> Sequence[bytes]:
    ends = [0, *places, len(body)]
    return [body[start:end] for start, end in itertools.pairwise(ends)]


async def test_container_is_known_by_its_task_and_log_stream() -> None:
    async with an_agent(json.dumps(METADATA).encode()) as uri:
        assert await this_container(uri) == {
            "Container": "work",
            "Task": "arn:aws:ecs:eu-west-1:123456789012:task/c/0f",
            "Task definition": "tiles:7",
            "Log group": "/tiles",
            "Log stream": "work/0f",
        }


async def test_answer_that_comes_in_parts_is_read_whole() -> None:
    async with an_agent(*cut(json.dumps(METADATA).encode(), 1, 100)) as uri:
        assert (await this_container(uri))["Log stream"] == "work/0f"


async def test_answer_without_an_end_in_sight_is_not_kept_in_memory() -> None:
    huge = json.dumps({**METADATA, "Padding": "x" * MAX_ANSWER_BYTES}).encode()
    async with an_agent(huge) as uri:
        assert (await this_container(uri)).keys() == {"Container"}
