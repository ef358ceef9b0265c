"""`watchbot listen`: puts a watcher together, with all that it needs, and runs it.

What a watcher does with a message is in `watcher`: read that first.
"""

import gc
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

import anyio

from watchbot.aws import open_client
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.listen import agent, environment, machine, nested, process, spawn
from watchbot.listen.dead_letters import open_dead_letters
from watchbot.listen.job import Jobs
from watchbot.listen.notify import Notifier
from watchbot.listen.protection import protecting
from watchbot.listen.tracing import tracing
from watchbot.listen.watcher import Watcher
from watchbot.listen.workspace import open_workspace
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.queue import SqsQueue
from watchbot.sqs.reach import reach
from watchbot.web import serving

log = logging.getLogger(__name__)


async def listen(settings: ListenSettings, words: Sequence[str], stop: Stop) -> int:
    """Works on the queue until told to stop, or until there is no more to do; the exit code.

    Raises `UsageError` for what is wrong before the first message, `AwsError` for what AWS
    refuses for good.
    """
    command = _command(settings, words)
    machine.make_room(settings.slots)
    account = settings.account.near(settings.queue_url)
    async with AsyncExitStack() as house:
        workspace = house.enter_context(open_workspace(settings.volumes, command.files))
        # One try: leases and intake have tries of their own, within the lease.
        sqs = await house.enter_async_context(
            open_client("sqs", account, attempts=1, wait_s=settings.poll_wait, connections=50)
        )
        queue = SqsQueue(sqs, settings.queue_url)
        notifier = await _open_notifier(house, settings)
        jobs = Jobs(settings, command, stop)
        watcher = Watcher(settings, queue, workspace, jobs, notifier)
        watcher.dead_letters = await house.enter_async_context(open_dead_letters(settings))
        await house.enter_async_context(
            serving(
                settings.metrics_host,
                settings.metrics_port,
                watcher.unhealthy,
                watcher.unready,
                {"/failures": watcher.failures.page},
            )
        )
        if not await reach(queue, stop):
            return 0
        if settings.sends_traces:
            watcher.spans = await house.enter_async_context(tracing(_queue_name(settings)))
        if settings.ecs_agent_uri is not None:
            watcher.protection = await house.enter_async_context(
                protecting(settings.ecs_agent_uri, watcher.finish)
            )
        # What is here now stays to the end: the garbage collector need not look at it each time.
        gc.freeze()
        await watcher.run(stop)
        process.end_orphans()
    return 0


def _command(settings: ListenSettings, words: Sequence[str]) -> spawn.Command:
    if environment.is_worker():
        raise UsageError(
            f"this is the worker of another watcher, and would never end; {nested.ADVICE}"
        )
    command = spawn.resolve(words, shell=settings.shell)
    if command.doubt is not None:
        log.warning("command may not start", extra={"file": command.file, "reason": command.doubt})
    return command


async def _open_notifier(house: AsyncExitStack, settings: ListenSettings) -> Notifier | None:
    if settings.notification_topic is None:
        return None
    account = settings.account.near(settings.notification_topic)
    sns = await house.enter_async_context(open_client("sns", account, attempts=1))
    service = environment.stack_name() or _queue_name(settings)
    container = await agent.this_container(settings.ecs_metadata_uri)
    notifier = Notifier(sns, settings.notification_topic, service, container)
    publishing = await house.enter_async_context(anyio.create_task_group())
    publishing.start_soon(notifier.run)
    house.callback(publishing.cancel_scope.cancel)
    house.push_async_callback(notifier.close)
    return notifier


def _queue_name(settings: ListenSettings) -> str:
    return settings.queue_url.rstrip("/").rpartition("/")[2]
