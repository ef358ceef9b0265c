"""Serves the console beside a local watcher."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot.address import netloc
from watchbot.settings.base import load
from watchbot.settings.console import ConsoleSettings
from watchbot.settings.listen import ListenSettings
from watchbot.settings.local import LocalSettings

HOST = "127.0.0.1"


@asynccontextmanager
async def console_beside(
    watcher: ListenSettings, settings: LocalSettings
) -> AsyncIterator[str | None]:
    """Serves the console of this watcher while open; yields its URL, or None with --no-console."""
    if settings.no_console:
        yield None
        return
    from watchbot.console.service import serving_console

    metrics = netloc(watcher.metrics_host, watcher.metrics_port or 0)
    given = {
        "queue_url": tuple(share.url for share in watcher.queues),
        "watcher": (f"http://{metrics}/metrics",),
        "watcher_token": watcher.metrics_token,
        "host": HOST,
        "port": settings.console_port,
        "region": watcher.region,
        "endpoint_url": watcher.endpoint_url,
    }
    async with serving_console(load(ConsoleSettings, given)) as url:
        yield url


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
