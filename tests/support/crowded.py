"""A machine that has no room for one more thread."""

from typing import Any

import anyio.to_thread
import pytest


def no_room_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each thread that anyio would use fail to start, as the system's limit does it."""

    async def run_sync(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
