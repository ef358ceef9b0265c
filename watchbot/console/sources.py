"""All that the console reads, each part optional."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchbot.console.audit import Audit
from watchbot.console.fresh import Fresh, Missing
from watchbot.console.kept import KeptFailures
from watchbot.console.letters.tray import Tray
from watchbot.console.letters.trays import Trays
from watchbot.console.needs import Board, FailedRun, FailedTasks
from watchbot.console.queues import Queues, keys
from watchbot.console.recorded import Recorded
from watchbot.console.scheduler import ScheduleApi
from watchbot.console.watchers import FailingKind, Watchers
from watchbot.queues.state import QueueState
from watchbot.settings.console import ConsoleSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts; `runs` and `tasks` are None where no scheduler, or no record, is named."""

    settings: ConsoleSettings
    queues: Queues
    looked: Fresh[Sequence[QueueState]]
    watchers: Watchers
    trays: Trays
    audit: Audit
    failures: KeptFailures | None = None
    scheduler: ScheduleApi | None = None
    recorded: Recorded | None = None
    kinds: Fresh[Sequence[FailingKind]] | None = None
    runs: Fresh[Sequence[FailedRun]] | None = None
    tasks: Fresh[Sequence[FailedTasks]] | None = None

    async def board(self) -> Board:
        """What the first page knows."""
        queues = await self.looked.get()
        states = () if isinstance(queues, Missing) else queues
        stuck = {state.url: self.queues.grows_since_s(state.url) for state in states}
        return Board(
            queues=queues,
            keys=keys([state.url for state in states]),
            open_letters={state.url: self.opened(state) for state in states},
            stuck_s={url: seconds for url, seconds in stuck.items() if seconds is not None},
            watchers=list(self.watchers.views.values()),
            watchers_problem=self.watchers.problem,
            failing=await self.failing(),
            runs=await self.runs.get() if self.runs else (),
            tasks=await self.tasks.get() if self.tasks else (),
        )

    def tray(self, state: QueueState) -> Tray | None:
        """The open tray of the queue's dead letters, or None."""
        tray = self.trays.of(state.redrive.target_url(state.url)) if state.redrive else None
        return tray if tray is not None and not tray.ended.is_set() else None

    def opened(self, state: QueueState) -> int:
        """How many dead letters of the queue are open here, and hidden from others."""
        tray = self.tray(state)
        return len(tray.sheaf) if tray else 0

    async def failing(self) -> Sequence[FailingKind] | Missing:
        """The kinds of failure: from the database of --failures, else from the watchers."""
        return await self.kinds.get() if self.kinds else self.watchers.failing()

    async def queue(self, key: str) -> QueueState | None:
        """The state of the queue whose page has this key."""
        states = await self.looked.get()
        if isinstance(states, Missing):
            return None
        by_url = keys([state.url for state in states])
        return next((state for state in states if by_url[state.url] == key), None)
