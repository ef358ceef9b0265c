"""The interface of a store of failures, and what it holds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

KEPT = timedelta(days=14)
MINUTES = 60  # of the counts of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFailure:
    """A message whose run failed. `at` is a time of `watchbot.moment`.

    `container` says what ran it, `log` is the place of its log. `tail` is the last output;
    empty where the watcher keeps none.
    """

    at: str
    fingerprint: str
    how: str
    outcome: str
    queue: str
    message_id: str
    receives: int
    duration_s: float
    memory_bytes: int | None = None
    container: str = ""
    log: str = ""
    tail: str = ""

    @property
    def storable(self) -> "KeptFailure":
        """The failure without what databases refuse: NUL, and half of a pair of surrogates."""
        texts: dict[str, Any] = {
            name: value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
            for name, value in asdict(self).items()
            if isinstance(value, str)
        }
        return replace(self, **texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """Failures with one fingerprint: `minutes` counts those of the last 60 minutes."""

    fingerprint: str
    how: str
    count: int
    first: str
    last: str
    minutes: Sequence[int] = ()


class FailureStore(Protocol):
    """A store of failures. Every call raises `WatchbotError` when the store refuses or is away."""

    async def add(self, failures: Sequence[KeptFailure]) -> None:
        """Keeps failures."""
        ...

    async def kinds(self, now: datetime) -> list[FailureKind]:
        """The kinds of the last two weeks, the last failure first."""
        ...

    async def of_kind(self, fingerprint: str, most: int) -> list[KeptFailure]:
        """The last failures of a kind, the newest first."""
        ...

    async def forget(self, before: datetime) -> None:
        """Deletes older failures, where the store does not do that by itself."""
        ...
