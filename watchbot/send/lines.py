"""Reads the lines to send as they come, with at most one message of text in memory.

`most_bytes` is the largest message. What is larger is cut to a length that is still too large.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from watchbot.errors import WatchbotError

CHUNK_BYTES = 262_144
CUT_BYTES = 2  # more than the most: too large even without a final CR


async def lines(source: int, most_bytes: int) -> AsyncIterator[list[bytes]]:
    """The lines of an open file, without line ends; each list holds the lines of one read."""
    kept = bytearray()
    async for chunk in chunks(source):
        first, *others = chunk.split(b"\n")
        kept += first[: most_bytes + CUT_BYTES - len(kept)]
        if others:
            yield [_without_cr(line) for line in (bytes(kept), *others[:-1])]
            kept = bytearray(others[-1])
    if kept:
        yield [_without_cr(bytes(kept))]


async def whole(source: int, most_bytes: int) -> bytes:
    """The content of an open file, unchanged."""
    kept = bytearray()
    async for chunk in chunks(source):
        kept += chunk
        if len(kept) > most_bytes:
            break
    return bytes(kept)


async def chunks(source: int) -> AsyncIterator[bytes]:
    """The content of an open file, as it comes."""
    while chunk := await _read(source):
        yield chunk


async def _read(source: int) -> bytes:
    await _readable(source)
    try:
        return os.read(source, CHUNK_BYTES)
    except OSError as fault:
        raise WatchbotError(f"cannot read the messages to send: {fault.strerror}") from fault


async def _readable(source: int) -> None:
    # A read that blocks would hold up an interrupt; a thread that blocks would hold up the exit.
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(source, ready.set)
    except (OSError, NotImplementedError):
        return  # a regular file is always ready, and no loop can watch it
    try:
        await ready.wait()
    finally:
        loop.remove_reader(source)


def _without_cr(line: bytes) -> bytes:
    return line.removesuffix(b"\r")
