"""Opens the socket on which workers ask, at a place whose path is short enough for a socket."""

import logging
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from watchbot.listen.control.server import serving_control
from watchbot.listen.control.verbs import Saving, Verbs
from watchbot.listen.ends import Ends
from watchbot.listen.workspace import Workspace

LONGEST_PATH = 103  # bytes of a socket's address: 107 on Linux, 103 on macOS
SHORT = "/tmp"  # noqa: S108 - a directory of mkdtemp in it has mode 0700

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_control(
    workspace: Workspace, ends: Ends, saving: Saving | None = None
) -> AsyncIterator[None]:
    """Has the workers of `workspace` ask about the runs of `ends` while open.

    Where no place for a socket is to be had, a line of the log says so, and workers cannot ask.
    """
    async with AsyncExitStack() as house:
        try:
            links = _short_links(house, workspace)
            path = f"{links or workspace.root}/control"
            await house.enter_async_context(serving_control(path, ends, Verbs(ends, saving)))
        except OSError as error:
            log.warning("workers cannot ask the watcher", extra={"reason": str(error)})
        else:
            workspace.furnish(path, links)
        yield


def _short_links(house: AsyncExitStack, workspace: Workspace) -> str | None:
    """A directory for workers' sockets; None where their scratch directories have short paths."""
    if len(os.fsencode(workspace.longest_control_path)) <= LONGEST_PATH:
        return None
    # Node and `nc` connect by the path that they are given, so a way around its length is no help.
    return house.enter_context(tempfile.TemporaryDirectory(prefix="watchbot-", dir=SHORT))
