"""A watcher that hands the messages of a queue in memory to real processes."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio

from tests.support.watching import a_watcher
from watchbot.lifecycle import Stop
from watchbot.listen import spawn
from watchbot.listen.report import Report
from watchbot.listen.runs import open_runs
from watchbot.listen.workspace import open_workspace
from watchbot.outcome import Outcome
from watchbot.settings.base import load
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.message import Message


class Quick(MemoryQueue):
    """A queue whose polls are soon back, as no other process sends to it."""

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        if messages := await super().receive(count, 0, visibility_s):
            return messages
        await anyio.sleep(0.01)  # its long poll
        return await super().receive(count, 0, visibility_s)


class Ends:
    """An observer that keeps what became of each message."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def observe(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def outcomes(self) -> list[tuple[str, Outcome]]:
        """Each body, and its outcome, in the order of their ends."""
        return [(report.message.body, report.outcome) for report in self.reports]

    def how(self, body: str) -> str:
        """How the run of a message ended, in words."""
        return next(report.how for report in self.reports if report.message.body == body)

    def tail(self, body: str) -> str:
        """What the worker had printed last for a message."""
        return next(report.tail for report in self.reports if report.message.body == body)


def a_queue(*bodies: str, group: str | None = None) -> Quick:
    """A queue with these messages; a FIFO queue where a group is given."""
    queue = Quick("memory.fifo" if group else "memory")
    for body in bodies:
        queue.send(body, group=group)
    return queue


async def left(queue: MemoryQueue) -> int:
    """How many messages are in the queue, visible or hidden."""
    facts = await queue.facts()
    visible = int(facts["ApproximateNumberOfMessages"])
    return visible + int(facts["ApproximateNumberOfMessagesNotVisible"])


async def worked_off(queue: MemoryQueue, script: str | Sequence[str], **options: Any) -> Ends:
    """What became of the messages of a queue, once a watcher finds it empty, or by `stop`.

    `script` is a line for a shell, or the words of a command. Messages that fail are hidden for
    minutes, and not waited for.
    """
    facts = {
        "queue_url": f"http://localhost:1/1/memory{'.fifo' if queue.fifo else ''}",
        "exit_when_empty": True,
        "exit_wait": 0,
        "poll_wait": 1,
        "breaker": 0,
    }
    stop = options.pop("stop", None) or Stop()
    settings = load(ListenSettings, {**facts, **options})
    words = [script] if isinstance(script, str) else script
    command = spawn.resolve(words, shell=isinstance(script, str))
    ends = Ends()
    with anyio.fail_after(60):
        async with AsyncExitStack() as house:
            workspace = house.enter_context(open_workspace(()))
            runs = await open_runs(house, settings, command, workspace, stop)
            watcher = a_watcher(settings, queue, runs.runner, [*runs.observers, ends])
            await runs.start(stop)
            await watcher.run(stop)
    return ends
