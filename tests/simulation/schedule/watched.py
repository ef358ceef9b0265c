"""What a simulated replica is given in the place of a store and of AWS."""

from typing import Any

from tests.simulation.schedule.laws import Laws
from tests.simulation.schedule.real import SqlStore


class Watched:
    """A store whose ledger tells the laws what a replica takes."""

    def __init__(self, store: SqlStore, name: str, laws: Laws) -> None:
        self._store, self._name, self._laws = store, name, laws

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def ledger(self, owner: str) -> Any:
        return WatchedLedger(self._store.ledger(owner), self._name, self._laws)


class WatchedLedger:
    """A ledger that tells the laws what it hands out."""

    def __init__(self, ledger: Any, name: str, laws: Laws) -> None:
        self._ledger, self._name, self._laws = ledger, name, laws

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def take(self, most: int) -> Any:
        versions = dict(self._laws.versions)  # what was answered before is seen now
        taken = await self._ledger.take(most)
        for each in taken[0]:
            self._laws.taken(self._name, each, versions)
        return taken


class EcsAlone:
    """Clients of AWS, of which a simulated ECS is the only one."""

    def __init__(self, ecs: Any) -> None:
        self._ecs = ecs

    async def near(self, service: str, address: str = "") -> Any:
        return self._ecs
