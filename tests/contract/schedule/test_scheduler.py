"""A whole replica: what it holds on to, and what it lets go of."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import anyio

from tests.support.fake_ecs import FakeEcs
from tests.support.house import House, a_house, a_job
from watchbot.errors import DatabaseDown
from watchbot.lifecycle import Stop
from watchbot.schedule.scheduler import Scheduler
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.run import LeasedRun, Other
from watchbot.schedule.store.store import Ledger, Store
from watchbot.settings.schedule import ScheduleSettings

HANG_S = 20


class HangingClients:
    """Clients of an ECS that never answers in the cluster `hung`."""

    def __init__(self) -> None:
        self.ecs = FakeEcs()
        self.hanging = anyio.Event()

    async def near(self, service: str, place: str = "") -> FakeEcs:
        assert service == "ecs"
        if place == "hung":
            self.hanging.set()
            await anyio.sleep_forever()
        return self.ecs


class OneNoteLost:
    """A ledger that the first note does not get to."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.lost = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def note(self, run: LeasedRun, decided: Sequence[Other] | None = None) -> None:
        if not self.lost.is_set():
            self.lost.set()
            raise DatabaseDown("here", "away")
        await self._ledger.note(run, decided)


class StoreOf:
    """A store whose ledger is this one."""

    def __init__(self, store: Store, ledger: OneNoteLost) -> None:
        self._store, self._ledger = store, ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def ledger(self, _: str) -> OneNoteLost:
        return self._ledger


def a_replica(store: object, clients: HangingClients) -> Scheduler:
    return Scheduler(ScheduleSettings(), cast(Store, store), cast(Clients, clients))


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    while not await true():
        await anyio.sleep(0.05)  # a store announces nothing


async def test_run_that_is_cut_short_is_let_go_of_at_once(place: str) -> None:
    clients, stop = HangingClients(), Stop()
    async with a_house(place, a_job(cluster="hung")) as house:
        house.clock.on(minutes=1)
        with anyio.fail_after(HANG_S):
            async with anyio.create_task_group() as replica:
                replica.start_soon(a_replica(house.store, clients).run, stop)
                await clients.hanging.wait()
                stop.ask()
                stop.ask()

        assert [run.job.id for run in await house.take(house.two)] == ["j"]


async def test_run_that_was_not_noted_is_not_held_on_to(tmp_path: Path) -> None:
    clients, stop = HangingClients(), Stop()
    jobs = a_job("hung", cluster="hung"), a_job("lost")
    async with a_house(f"sqlite:///{tmp_path}/test.db", *jobs) as house:
        ledger = OneNoteLost(house.store.ledger("me"))
        house.clock.on(minutes=1)
        with anyio.fail_after(HANG_S):
            async with anyio.create_task_group() as replica:
                replica.start_soon(a_replica(StoreOf(house.store, ledger), clients).run, stop)
                await clients.hanging.wait()
                await ledger.lost.wait()
                before = await leases(house)
                house.clock.on(seconds=4)
                await until(lambda: has_renewed(house, before["hung"]))
                house.clock.on(seconds=2)
                await until(lambda: has_started(house))
                stop.ask()
                stop.ask()

        assert await house.statuses() == ["due", "started"]
    assert len(clients.ecs.tasks) == 1


async def leases(house: House) -> dict[str, Any]:
    """When the lease of each job's run ends."""
    return {run["job_id"]: run["wake_at"] for run in await house.rows.runs()}


async def has_renewed(house: House, before: str) -> bool:
    return bool((await leases(house))["hung"] > before)


async def has_started(house: House) -> bool:
    return "started" in await house.statuses()
