"""Where jobs are kept: what is asked of a store, and the one place that opens it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from watchbot.progress.claim import Claim, Completion, Fact
from watchbot.progress.job import Job
from watchbot.settings.progress import ProgressSettings


class Store(Protocol):
    """Jobs, by id. Each call is atomic; `NoSuchJob` where there is no such job.

    What the store itself refuses is an `AwsError` or a `DatabaseError`.
    """

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        """Begins a job with parts of these numbers; nothing, if the same was begun before.

        With `anew`, one that is over (somebody was told that all is done, or it has failed) is
        forgotten first, with all that was noted of it; of many that try at once, one does.

        It may be forgotten after the epoch second `expires`. Raises `JobDiffers` for a job that
        was begun with other parts.
        """
        ...

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        """Notes a fact, as JSON has it, in place of the one before; of `error` the first stays."""
        ...

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        """Marks a part as done, whether it was or not. Raises `NoSuchPart`.

        Whatever is completed twice or at once, one claim is the last, unless the job has failed.
        """
        ...

    async def take_over(self, job: str, claim: Claim) -> bool:
        """Whether this claim takes the place of one `CLAIM_S` older, with no reduce message sent.

        Of many that try at once, one does.
        """
        ...

    async def read(self, job: str) -> Job:
        """The job."""
        ...

    async def pending(self, job: str) -> list[int]:
        """The numbers of the parts that are not done, in order."""
        ...

    async def remaining(self, job: str) -> int:
        """How many parts are not done, counted and not listed."""
        ...

    async def is_done(self, job: str, part: int) -> bool:
        """Whether a part is done. Raises `NoSuchPart`."""
        ...

    def jobs(self) -> AsyncIterator[str]:
        """The ids of all jobs."""
        ...


@asynccontextmanager
async def open_store(settings: ProgressSettings) -> AsyncIterator[Store]:
    """The store where `settings` say, closed on leaving.

    Raises `SettingError` when none is named, and `MissingExtra`.
    """
    place = settings.place
    if place.startswith("redis"):
        from watchbot.progress.redis import open_redis

        async with open_redis(place) as redis:
            yield redis
    else:
        from watchbot.progress.dynamodb import open_table

        async with open_table(place, settings.account) as table:
            yield table
