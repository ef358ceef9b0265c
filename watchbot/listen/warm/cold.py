"""Runs the command in a process of its own for each batch, which it is handed as lines."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import anyio

from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.listen.warm.shop import Shop
from watchbot.listen.warm.worker import Worker
from watchbot.listen.workspace import Workspace
from watchbot.outcome import RELEASED
from watchbot.sqs.message import Message


class ColdRunner:
    """A `Runner` that starts a process for each batch, and ends its input after that."""

    def __init__(self, shop: Shop, workspace: Workspace) -> None:
        self._shop, self._workspace = shop, workspace
        self._rooms: dict[int, AsyncExitStack] = {}  # by slot: to be left once all is settled

    def __len__(self) -> int:
        return len(self._shop.ends)

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        async with AsyncExitStack() as room:
            scratch = await room.enter_async_context(self._workspace.job())
            for job in batch:
                job.leave_seat()
            withheld = [job.withheld() for job in batch]
            if all(withheld):
                return [Verdict(outcome=RELEASED, reason=why) for why in withheld]
            verdicts = await self._work(batch, slot, scratch)
            self._rooms[slot] = room.pop_all()
        return verdicts

    async def _work(self, batch: Sequence[Job], slot: int, scratch: str) -> Sequence[Verdict]:
        more = {"WATCHBOT_BATCH": str(len(batch)), **self._workspace.variables(scratch)}
        worker = Worker(self._shop, slot, scratch, more)
        async with anyio.create_task_group() as life:
            life.start_soon(worker.live)
            try:
                return await worker.work(batch)
            except OSError as error:  # not in a group: the machine's fault is for the caller
                no_room = error
        raise no_room

    async def clear(self, slot: int) -> None:
        if room := self._rooms.pop(slot, None):
            await room.aclose()

    def kill(self, message: Message) -> None:
        self._shop.ends.kill(message)

    def release_all(self) -> None:
        self._shop.ends.release_all()
