"""Counts the cost of a message, because times would depend on the machine."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import anyio

from tests.benchmarks.bench import Server, environment, running, watchbot
from tests.support.sqs_server import sqs_server_process
from tests.support.watching import a_watcher
from watchbot.lifecycle import Stop
from watchbot.listen import spawn
from watchbot.listen.ends import Ends
from watchbot.listen.spawning import SpawnRunner
from watchbot.listen.workspace import open_workspace
from watchbot.settings.base import load
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.memory import MemoryQueue

MESSAGES = 400


def calls_for(*options: str) -> Counter[str]:
    """How often a watcher with these options calls SQS to work off all messages."""
    with sqs_server_process() as url:
        server = Server(url)
        queue = server.queue()
        words = [word.format(queue=queue) for word in watchbot(*options)]
        server.call("FillQueue", QueueUrl=queue, Count=MESSAGES)
        with running(words, environment(url)):
            server.wait_until_empty(queue)
            return Counter(
                {action: note["count"] for action, note in server.call("TellCalls").items()}
            )


def test_calls_of_sqs_for_each_message_in_batches() -> None:
    lines, answers = " && ".join(["read -r message"] * 10), "0\\n" * 10
    worker = f"while {lines}; do printf '{answers}' >&3; done"  # ten answers at a time

    calls = calls_for("--concurrency", "4", "--batch-size", "10", "--warm", "lines", worker)

    assert calls["ReceiveMessage"] + calls["DeleteMessageBatch"] <= 0.22 * MESSAGES
    assert calls["ChangeMessageVisibilityBatch"] == 0


def test_calls_of_sqs_for_each_message() -> None:
    calls = calls_for("--concurrency", "16", "/bin/true")

    assert calls["DeleteMessageBatch"] <= MESSAGES / 5
    assert calls["ReceiveMessage"] <= MESSAGES / 4
    assert calls["ChangeMessageVisibilityBatch"] == 0


async def work_off(queue: MemoryQueue) -> int:
    """The number of tasks that a watcher makes for all messages of the queue."""
    made: list[asyncio.Task[Any]] = []

    def make(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        made.append(asyncio.Task(coroutine, loop=loop, **more))
        return made[-1]

    settings = load(WatcherSettings, {"concurrency": 8, "exit_when_empty": True, "poll_wait": 1})
    stop = Stop()
    with open_workspace(()) as workspace:
        command = spawn.resolve(["/bin/true"], shell=False)
        watcher = a_watcher(
            settings, queue, SpawnRunner(settings, command, workspace, Ends(settings, stop))
        )
        asyncio.get_running_loop().set_task_factory(make)  # type: ignore[arg-type]  # of 3.11's stubs
        with anyio.fail_after(60):
            await watcher.run(stop)
    return len(made)


async def test_tasks_for_each_message() -> None:
    queue = MemoryQueue()
    for number in range(MESSAGES):
        queue.send(str(number))

    made = await work_off(queue)

    # One for the work on each message; polls and batches of deletes share theirs.
    assert made <= 1.6 * MESSAGES
