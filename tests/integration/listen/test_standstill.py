"""A watcher that stood still while others had its message."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from tests.support.watching import a_watcher
from watchbot.lifecycle import Stop
from watchbot.listen import spawn
from watchbot.listen.ends import Ends
from watchbot.listen.spared import Spared
from watchbot.listen.spawning import SpawnRunner
from watchbot.listen.workspace import Workspace
from watchbot.settings.base import load
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.memory import MemoryQueue

VISIBILITY_S = 1


class StandsStill(Workspace):
    """The whole process stands still, once, just before a worker starts; as SIGSTOP has it."""

    stood = False

    @asynccontextmanager
    async def job(self) -> AsyncIterator[str]:
        async with super().job() as scratch:
            if not self.stood:
                self.stood = True
                time.sleep(1.2 * VISIBILITY_S)  # noqa: ASYNC251  # nothing may run meanwhile
            yield scratch


async def test_worker_that_starts_too_late_does_nothing(tmp_path: Path) -> None:
    ledger, scratch = tmp_path / "ledger", tmp_path / "scratch"
    scratch.mkdir()
    queue = MemoryQueue()
    queue.send("a message")
    options = {"visibility_timeout": VISIBILITY_S, "exit_when_empty": True, "poll_wait": 1}
    settings, stop = load(WatcherSettings, options), Stop()
    script = f'sleep 0.1; echo "$ApproximateReceiveCount" >> {ledger}'
    workspace = StandsStill(str(scratch), (), Spared(()))
    runner = SpawnRunner(
        settings, spawn.resolve([script], shell=True), workspace, Ends(settings, stop)
    )
    watcher = a_watcher(settings, queue, runner)

    with anyio.fail_after(30):
        await watcher.run(stop)

    assert ledger.read_text() == "2\n"  # by then it was received for the second time
