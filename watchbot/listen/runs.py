"""Opens all that has to do with the runs of a watcher, by its settings."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from watchbot.lifecycle import Stop
from watchbot.listen.choosing import open_runner
from watchbot.listen.control.opening import open_control
from watchbot.listen.ends import Ends
from watchbot.listen.runner import Runner
from watchbot.listen.spawn import Command
from watchbot.listen.working import at_work
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import ListenSettings
from watchbot.web import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """What runs the command, and the `pages` of JSON about its runs."""

    runner: Runner
    pages: Pages


async def open_runs(
    house: AsyncExitStack,
    settings: ListenSettings,
    command: Command,
    workspace: Workspace,
    stop: Stop,
) -> RunParts:
    """Opens the runner, and the socket on which workers ask; `house` closes both."""
    ends = Ends(settings, stop)
    await house.enter_async_context(open_control(workspace, ends))
    runner = await open_runner(house, settings, command, workspace, ends)
    return RunParts(runner=runner, pages={"/v1/workers": partial(at_work, ends)})
