"""The interface of a store of jobs, and `open_store`, the only way to open one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from watchbot.progress.claim import Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob
from watchbot.settings.progress import ProgressSettings


class ProgressStore(Protocol):
    """Jobs, by id. Each call is atomic, and raises `NoSuchJob` for an unknown id.

    A store raises `AwsError` or `DatabaseError` when it cannot do what was asked.
    """

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        """Begins a job with these part numbers; does nothing if it already exists with them.

        With `anew`, forgets a job that is over (LAST was answered, or it failed) with all its
        facts, and begins again; of several concurrent callers, one does.

        The store may forget the job after the epoch second `expires`. Raises `JobDiffers` for a
        job that exists with other parts.
        """
        ...

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        """Stores a JSON value in place of the fact's last value; `error` keeps its first."""
        ...

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        """Marks a part as done, also when it already was. Raises `NoSuchPart`.

        However often and concurrently parts are completed, exactly one claim gets LAST; none does
        if the job has failed.
        """
        ...

    async def take_over(self, job: str, claim: Claim) -> bool:
        """Whether this claim replaced one at least `CLAIM_S` older without a reduce message.

        Of several concurrent callers, one gets True.
        """
        ...

    async def read(self, job: str) -> MapReduceJob:
        """The job, without the state of its parts."""
        ...

    async def pending(self, job: str) -> list[int]:
        """The numbers of the open parts, in order."""
        ...

    async def remaining(self, job: str) -> int:
        """The number of open parts; cheaper than `pending`."""
        ...

    async def is_done(self, job: str, part: int) -> bool:
        """Whether a part is done. Raises `NoSuchPart`."""
        ...

    def jobs(self) -> AsyncIterator[str]:
        """The ids of all jobs."""
        ...


@asynccontextmanager
async def open_store(settings: ProgressSettings) -> AsyncIterator[ProgressStore]:
    """Opens the store that `settings` name; closes it on leaving.

    Raises `SettingError` when they name none, and `MissingExtra`.
    """
    address = settings.address
    if address.startswith("redis"):
        from watchbot.progress.redis import open_redis

        async with open_redis(address) as redis:
            yield redis
    else:
        from watchbot.progress.dynamodb import open_table

        async with open_table(address, settings.aws) as table:
            yield table
