"""The protocols of a store of jobs and runs, of which there are two kinds: `sql`, `dynamodb`.

Every call raises `DatabaseError`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from watchbot.schedule.job.job import Job
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import Cancel, Ending, Entry, Other, Run, Started, TaskEnd
from watchbot.schedule.store.stored import StoredJob


class Jobs(Protocol):
    """The jobs. A change is made to the generation that was read, or not at all."""

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        """So many jobs in the order of their names, and how many there are in all."""
        ...

    async def find(self, job_id: str) -> StoredJob | None:
        """The job of this name."""
        ...

    async def of_source(self, source: str) -> set[str]:
        """The names of the jobs that were added with this source."""
        ...

    async def add(self, job: Job, *, source: str | None = None) -> None:
        """Stores a new job. Raises `Taken` or `NeverFires`."""
        ...

    async def change(
        self, old: StoredJob, job: Job, note: str | None = None, *, by_source: bool = False
    ) -> bool:
        """Stores `job` in the place of `old`; False when somebody else has changed that one.

        `note` says why it is paused; `by_source`, that it is the source that has changed it. The
        runs of a job that is now suspended are called off, as `Runs.call_off` does. Raises
        `NeverFires`.
        """
        ...

    async def remove(self, job_id: str, generation: int | None = None) -> bool:
        """Removes a job; False when it is not there, or not of this generation.

        Its runs are called off, as `Runs.call_off` does. What has become of others stays in the
        ledger.
        """
        ...


class Runs(Protocol):
    """The ledger: an entry for every time that a job was due. Its key keeps two replicas apart."""

    async def enter(self, entries: Sequence[Entry]) -> list[Entry]:
        """Writes entries; those that are new.

        Of a backfill, one that was skipped or has failed before is new once more.
        """
        ...

    async def call_off(self, job_id: str, cancel: Cancel) -> int | None:
        """Calls off these runs of a job; how many they were. None: there are none of that time.

        What has surely started nothing is over at once. What somebody works at, or may have
        started tasks, starts no more, and is over at its next step.
        """
        ...

    async def backfilled(self, job_id: str) -> dict[str, int]:
        """How many runs of its backfills a job has, by status; `active`: their tasks run."""
        ...

    async def of_job(
        self, job_id: str, limit: int, before: datetime | None
    ) -> list[dict[str, Any]]:
        """The runs of a job, the newest first, as the API shows them."""
        ...

    async def last(self, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Of each job that has any, the newest run that is not just due, likewise."""
        ...

    async def take_started(self, most: int) -> tuple[list[Started], datetime]:
        """Runs whose tasks are to be looked at now, and when that is; nobody else gets them now."""
        ...

    async def note_outcome(self, run: Started, outcome: str, look_at: datetime | None) -> None:
        """Stores what became of a run's tasks, and when to look again; the job counts failures.

        Raises `Lost` when that is settled already.
        """
        ...

    async def recorded(self, arns: Sequence[str]) -> dict[str, TaskEnd]:
        """What `watchbot record` knows of these tasks, if its tables are here."""
        ...

    async def forget(self) -> int:
        """Deletes runs that are over and old, some at a time; how many they were."""
        ...


class Ledger(Protocol):
    """The runs as one replica works at them.

    A run is worked at by whoever has taken it, for as long as that lease is renewed. Every change
    to it is made under the name of its owner, so that one who has lost it changes nothing.
    """

    async def take(self, most: int) -> tuple[list[Run], datetime]:
        """Up to so many runs that are due, ours for the time of `LEASE`; and when that was."""
        ...

    async def seconds_to_next(self, most: float) -> float:
        """How long there is no run to take; `most` at most."""
        ...

    async def renew(self, runs: Sequence[Run]) -> None:
        """Holds on to these; those that are lost, or over, stay as they are."""
        ...

    async def release(self, runs: Sequence[Run]) -> None:
        """Lets go of these, likewise: others may take them at once."""
        ...

    async def claim(self, run: Run) -> Sequence[Other] | None:
        """Claims the job, so that this run of it may be decided; its other runs that are open.

        None: another run has the claim. It is held until that one is put off, or over, or until
        nobody works at it any more.
        """
        ...

    async def note(self, run: Run, decided: Sequence[Other] | None = None) -> None:
        """Stores how far the run has come. Raises `Lost` or `CalledOff`.

        `decided` are the others by which it was decided what it starts: then it is stored only if
        the job is still claimed for it.
        """
        ...

    async def end_others(self, run: Run, others: Sequence[Other], reason: str) -> None:
        """Calls off these runs of the same job."""
        ...

    async def put_off(self, run: Run, seconds: float, reason: str, failed: bool) -> None:
        """Lets go of a run until later; `failed` counts an attempt.

        Raises `Lost` or `CalledOff`.
        """
        ...

    async def finish(self, run: Run, ending: Ending) -> datetime:
        """Ends a run, and tells its job; when that was. Raises `Lost`."""
        ...


class Store(Protocol):
    """A store that is open."""

    @property
    def place(self) -> str:
        """Its URL, without a password."""
        ...

    @property
    def jobs(self) -> Jobs:
        """All jobs."""
        ...

    @property
    def runs(self) -> Runs:
        """All runs."""
        ...

    async def now(self) -> datetime:
        """The time by the store's clock, the only one that all replicas share."""
        ...

    async def look_at_clock(self) -> timedelta | None:
        """By how much the store's clock was set back since somebody looked; None: it was not.

        If it was, the next fire of each job is sought anew, and what was put off until a time that
        has gone away again is looked at within a minute.
        """
        ...

    async def plan(self) -> Planned:
        """One pass over the jobs that are due: enters their runs and moves them on, in one step."""
        ...

    async def seconds_to_plan(self, most: float) -> float:
        """How long no job is due; `most` at most."""
        ...

    def ledger(self, owner: str) -> Ledger:
        """The runs, for a replica of this name."""
        ...
