"""Opens all that has to do with the runs of a watcher, by its settings."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from watchbot.lifecycle import Stop
from watchbot.listen.checkpointing import open_keeper
from watchbot.listen.choosing import open_runner, start
from watchbot.listen.control.opening import open_control
from watchbot.listen.ends import Ends
from watchbot.listen.observers import Observer
from watchbot.listen.planner import Planner, draining
from watchbot.listen.runner import Runner
from watchbot.listen.spawn import Command
from watchbot.listen.working import at_work
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import ListenSettings
from watchbot.web import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """What runs the command, and what belongs to it.

    `start` starts what stays running: see `choosing.start`. `observers` hear each report, and
    `pages` are of JSON.
    """

    runner: Runner
    start: Callable[[Stop], Awaitable[None]]
    observers: Sequence[Observer]
    pages: Pages


async def open_runs(
    house: AsyncExitStack,
    settings: ListenSettings,
    command: Command,
    workspace: Workspace,
    stop: Stop,
) -> RunParts:
    """Opens the runner, the store of checkpoints, the socket on which workers ask, the planner.

    `house` closes them. Raises the errors of `open_keeper`.
    """
    ends = Ends(settings, stop)
    runner = await open_runner(house, settings, command, workspace, ends)
    keeper, planner = None, None
    if settings.checkpoints is not None:
        keeping = open_keeper(runner, settings, settings.checkpoints, workspace.root)
        keeper, planner = await house.enter_async_context(keeping), Planner(ends)
    await house.enter_async_context(open_control(workspace, ends, keeper))
    await house.enter_async_context(draining(stop, ends, settings.drain_timeout, planner))
    return RunParts(
        runner=runner if keeper is None else keeper,
        start=partial(start, runner),
        observers=[each for each in (keeper, planner) if each is not None],
        pages={"/v1/workers": partial(at_work, ends)},
    )
