"""Builds the watcher of `watchbot listen` from its parts, and runs it.

Read `watcher` first: it shows what becomes of a message.
"""

import gc
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import anyio

from watchbot import descriptors
from watchbot.errors import UsageError
from watchbot.lifecycle import Stop
from watchbot.listen import environment, machine, nested, process, spawn
from watchbot.listen.dead_letters import open_dead_letters
from watchbot.listen.looks import QueueWatch, look_first
from watchbot.listen.machine import Machine
from watchbot.listen.observing import open_observers
from watchbot.listen.orphans import reap_for_ever
from watchbot.listen.payloads import open_payloads
from watchbot.listen.protection import Protection, protecting
from watchbot.listen.queues import open_queues, reach_all
from watchbot.listen.reserve import Reserve
from watchbot.listen.runs import open_runs
from watchbot.listen.watcher import Parts, Watcher
from watchbot.listen.workspace import Workspace, open_workspace
from watchbot.pages.door import check_door
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.consumer import Weighted
from watchbot.sqs.pause import Tagged
from watchbot.sqs.valve import Valve
from watchbot.web import Pages, Served, serving

log = logging.getLogger(__name__)


async def listen(settings: ListenSettings, words: Sequence[str], stop: Stop) -> int:
    """Works on the queue until `stop`, or until the queue is empty; returns the exit code.

    Raises `UsageError` for an error that shows before the first message, and `AwsError` when AWS
    refuses a call for good.
    """
    command = _command(settings, words)
    machine.make_room(settings.slots, _descriptors_each(settings))
    async with AsyncExitStack() as house:
        workspace = house.enter_context(open_workspace(settings.volumes, command.files))
        queues = await open_queues(house, settings)
        valve = Valve()
        runs = await open_runs(house, settings, command, workspace, stop)
        heard = await open_observers(house, settings, valve)
        parts = Parts(
            queues=[Weighted(*each) for each in queues],
            strict=settings.queue_order == "strict",
            runner=runs.runner,
            machine=Machine(_reserve(settings, workspace), valve),
            valve=valve,
            breaker=heard.breaker,
            observers=[*heard.observers, *runs.observers],
            dead_letters=await house.enter_async_context(open_dead_letters(settings)),
            protection=await _protect(house, settings, valve),
            payloads=await open_payloads(house, settings, workspace),
        )
        watcher = Watcher(settings, parts)
        heard.hurry(lambda: watcher.left_s)
        await _serve(house, settings, watcher, {**heard.pages, **runs.pages})
        if not await reach_all([queue for queue, _ in queues], stop, settings.give_up_after):
            return 0
        await _begin_background(house, watcher, [queue for queue, _ in queues], stop)
        await runs.start(stop)
        # These objects live to the end, so the garbage collector need not visit them.
        gc.freeze()
        await watcher.run(stop)
        process.end_orphans()
    return 0


def _descriptors_each(settings: ListenSettings) -> int:
    talks = settings.warm != "off" or settings.batch_size > 1
    return descriptors.PER_TALK if talks else descriptors.PER_WORKER


def _reserve(settings: ListenSettings, workspace: Workspace) -> Reserve:
    # Processes that stay have all they need before the first receive.
    most = settings.slots if settings.warm == "off" else 0
    look = partial(_look, workspace)
    return Reserve(look, most=most, each=_descriptors_each(settings))


def _look(workspace: Workspace) -> None:
    """Raises `OSError` when this machine can start no process, or has no space for its files."""
    spawn.rehearse()
    workspace.check()


async def _protect(
    house: AsyncExitStack, settings: ListenSettings, valve: Valve
) -> Protection | None:
    if settings.ecs_agent_uri is None:
        return None

    def finish() -> None:
        log.info("finishing")
        valve.close()

    return await house.enter_async_context(protecting(settings.ecs_agent_uri, finish))


async def _serve(
    house: AsyncExitStack, settings: ListenSettings, watcher: Watcher, pages: Pages
) -> None:
    host, port, token = settings.metrics_host, settings.metrics_port, settings.metrics_token
    if settings.show_output and port is not None:
        check_door(host, token, "metrics_")
    served = Served(
        unhealthy=watcher.unhealthy,
        unready=watcher.unready,
        remark=watcher.remark,
        pages=pages,
        token=token,
    )
    await house.enter_async_context(serving(host, port, served))


async def _begin_background(
    house: AsyncExitStack, watcher: Watcher, queues: Sequence[Tagged], stop: Stop
) -> None:
    """Reaps orphans and looks at the queues from now on; returns after the first looks."""
    looks = list(map(QueueWatch, watcher.sources, queues))
    await look_first(looks, stop)
    background = await house.enter_async_context(anyio.create_task_group())
    house.callback(background.cancel_scope.cancel)
    background.start_soon(reap_for_ever)
    for each in looks:
        background.start_soon(each.for_ever)


def _command(settings: ListenSettings, words: Sequence[str]) -> spawn.Command:
    if environment.is_worker():
        raise UsageError(
            f"this is the worker of another watcher, and would never end; {nested.ADVICE}"
        )
    command = spawn.resolve(words, shell=settings.shell)
    if command.doubt is not None:
        log.warning("command may not start", extra={"file": command.file, "reason": command.doubt})
    return command
