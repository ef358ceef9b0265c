"""The protocols of a store of jobs and runs, of which there are two kinds: `sql`, `dynamodb`.

Every call raises `DatabaseError`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from watchbot.schedule.job.job import Job
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import Cancel, LeasedRun, LedgerEntry, Other, RunEnd, Started
from watchbot.schedule.store.stored import StoredJob
from watchbot.task_record import TaskRecord


class Jobs(Protocol):
    """The jobs. A change applies only if the job still has the generation that was read."""

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        """At most `count` jobs after the first `skip`, by name; and the number of all jobs."""
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
    """The runs as the API and the planning see them: one entry for each time a job was due.

    The entry's key (job, time, cause) keeps two replicas from entering one run twice.
    """

    async def enter(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
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
        """For each job: its newest run that is past `due`, in the API's form.

        A job without such a run is left out.
        """
        ...

    async def take_started(self, most: int) -> tuple[list[Started], datetime]:
        """Runs whose tasks are to be looked at now, and when that is; nobody else gets them now."""
        ...

    async def note_outcome(self, run: Started, outcome: str, look_at: datetime | None) -> None:
        """Stores what became of a run's tasks, and when to look again; the job counts failures.

        Raises `Lost` when that is settled already.
        """
        ...

    async def forget(self) -> int:
        """Deletes a batch of runs that ended before the retention; returns how many."""
        ...


class Ledger(Protocol):
    """The ledger: the leases by which one replica works at runs.

    The replica that takes a run holds its lease, and renews it. Each change names the owner of the
    lease, so a replica that has lost the lease changes nothing.
    """

    async def take(self, most: int) -> tuple[list[LeasedRun], datetime]:
        """At most `most` due runs, leased to this replica for `LEASE`; and the store's time."""
        ...

    async def seconds_to_next(self, most: float) -> float:
        """Seconds until there is a run to take; at most `most`."""
        ...

    async def renew(self, runs: Sequence[LeasedRun]) -> None:
        """Renews the leases of these runs; skips those that are lost or over."""
        ...

    async def release(self, runs: Sequence[LeasedRun]) -> None:
        """Gives up the leases of these runs, so that others may take them at once."""
        ...

    async def claim(self, run: LeasedRun) -> Sequence[Other] | None:
        """Claims the job, so that this run of it may be decided; its other runs that are open.

        None: another run has the claim. It is held until that one is put off, or over, or until
        nobody works at it any more.
        """
        ...

    async def note(self, run: LeasedRun, decided: Sequence[Other] | None = None) -> None:
        """Stores how far the run has come. Raises `Lost` or `CalledOff`.

        `decided` are the others by which it was decided what it starts: then it is stored only if
        the job is still claimed for it.
        """
        ...

    async def end_others(self, run: LeasedRun, others: Sequence[Other], reason: str) -> None:
        """Calls off these runs of the same job."""
        ...

    async def put_off(self, run: LeasedRun, seconds: float, reason: str, failed: bool) -> None:
        """Lets go of a run until later; `failed` counts an attempt.

        Raises `Lost` or `CalledOff`.
        """
        ...

    async def finish(self, run: LeasedRun, ending: RunEnd) -> datetime:
        """Ends a run, and tells its job; when that was. Raises `Lost`."""
        ...


class Store(Protocol):
    """A store that is open."""

    @property
    def shown_url(self) -> str:
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

    @property
    def record(self) -> TaskRecord:
        """The record of tasks beside it: of nothing, where `watchbot record` keeps none there."""
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
        """Seconds until a job is due; at most `most`."""
        ...

    def ledger(self, owner: str) -> Ledger:
        """The runs, for a replica of this name."""
        ...
