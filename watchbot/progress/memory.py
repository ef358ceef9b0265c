"""A store in memory, for tests of workers and for single processes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

from watchbot.errors import JobDiffers, NoSuchJob
from watchbot.progress.claim import CLAIM_S, Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob, check_part


@dataclass(slots=True)
class _Entry:
    job: MapReduceJob
    left: set[int]
    claim: Claim | None = field(default=None)


class MemoryStore:
    """A store whose jobs end with the process. Threads and their event loops may share it."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._lock = RLock()  # never held through an await

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        new = _Entry(MapReduceJob(id=job, total=len(parts), parts=parts), set(parts))
        with self._lock:
            old = self._entries.get(job)
            if anew and old and (old.claim is not None or old.job.error is not None):
                del self._entries[job]
            known = self._entries.setdefault(job, new).job
        if known.parts != parts:
            raise JobDiffers(job, known.parts)

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        with self._lock:
            entry = self._entry(job)
            if fact == "error":
                first = value if entry.job.error is None else entry.job.error
                entry.job = replace(entry.job, error=first)
            elif fact == "metadata":
                entry.job = replace(entry.job, metadata=value)
            else:
                entry.job = replace(entry.job, reduce_sent=value)

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        with self._lock:
            entry = self._entry(job)
            check_part(entry.job, part)
            entry.left.discard(part)
            if entry.left or entry.job.error is not None:
                return Completion.OPEN
            entry.claim = entry.claim or claim
            return Completion.LAST if entry.claim.token == claim.token else Completion.CLAIMED

    async def take_over(self, job: str, claim: Claim) -> bool:
        with self._lock:
            entry = self._entry(job)
            old = entry.claim
            if old is None or old.at > claim.at - CLAIM_S:
                return False
            if entry.job.reduce_sent or entry.job.error is not None:
                return False
            entry.claim = claim
            return True

    async def read(self, job: str) -> MapReduceJob:
        with self._lock:
            return self._entry(job).job

    async def pending(self, job: str) -> list[int]:
        with self._lock:
            return sorted(self._entry(job).left)

    async def remaining(self, job: str) -> int:
        with self._lock:
            return len(self._entry(job).left)

    async def is_done(self, job: str, part: int) -> bool:
        with self._lock:
            entry = self._entry(job)
            check_part(entry.job, part)
            return part not in entry.left

    async def jobs(self) -> AsyncIterator[str]:
        for job in list(self._entries):
            yield job

    def _entry(self, job: str) -> _Entry:
        if job not in self._entries:
            raise NoSuchJob(job)
        return self._entries[job]
