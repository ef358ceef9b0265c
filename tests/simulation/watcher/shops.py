"""The runner that a history's options ask for: the real one, over simulated processes."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

import anyio

from tests.simulation.watcher.functions import Runtime, Wires
from tests.simulation.watcher.processes import (
    COMMAND,
    Machine,
    Nowhere,
    SimulatedRunner,
    absent,
    to_its_end,
)
from tests.simulation.watcher.talkers import STARTS, LineProcess, Talker
from watchbot.listen.care import Care, Ending
from watchbot.listen.ends import Ends
from watchbot.listen.process import Alive, Listener
from watchbot.listen.runner import Runner
from watchbot.listen.spawn import Start
from watchbot.listen.warm.cold import ColdRunner
from watchbot.listen.warm.line_dialogue import LineTalk, LineTerms
from watchbot.listen.warm.pool import Recycling, keeping
from watchbot.listen.warm.shop import Shop
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import WatcherSettings

NOWHERE = cast(Workspace, Nowhere())


async def open_runner(
    house: AsyncExitStack, settings: WatcherSettings, machine: Machine, ends: Ends
) -> Runner:
    """The runner of a watcher, as `watchbot.listen.choosing` makes it."""
    if settings.warm == "off" and settings.batch_size == 1:
        return SimulatedRunner(settings, machine, ends)
    wires = Wires(settings, machine)
    terms = LineTerms(
        variables={},
        max_line=settings.max_line,
        stays=settings.warm != "off",
    )
    shop = Shop(
        settings=settings,
        command=COMMAND,
        base={},
        ends=ends,
        open_dialogue=wires if settings.warm == "lambda" else LineTalk(terms),
        world=machine.world,
        stays=settings.warm != "off",
        run_process=Starting(settings, machine, wires),
    )
    if not shop.stays:
        return ColdRunner(shop, NOWHERE)
    recycling = Recycling(after_runs=settings.recycle_after)
    return await house.enter_async_context(keeping(shop, NOWHERE, settings.slots, recycling))


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts processes, and runs them to their ends: what `process.run` does."""

    settings: WatcherSettings
    machine: Machine
    wires: Wires

    async def __call__(
        self, start: Start, listener: Listener, care: Care, begun: Callable[[Alive], bool]
    ) -> Ending:
        if self.machine.dead:
            await anyio.sleep_forever()
        self.machine.refuse()
        odd = ""
        if self.machine.happens("start"):
            odd = self.machine.world.chance.choice(STARTS)
        if odd == "absent":
            raise absent()
        process = self._started(start, odd)
        if not begun(process):
            process.kill()
        return await to_its_end(process, care)

    def _started(self, start: Start, odd: str) -> Talker:
        stays, laws = self.settings.warm != "off", self.machine.laws
        laws.answers.process_starts(self.machine.watcher)
        if self.settings.warm == "lambda":
            return Runtime(self.machine, start, odd, self.wires)
        bare = not stays and laws.history.bare
        return LineProcess(self.machine, start, odd, stays=stays, bare=bare)
