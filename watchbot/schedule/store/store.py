"""Protocols of a store of jobs and runs, with the implementations `sql` and `dynamodb`.

Every call may raise `DatabaseError`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol

from watchbot.schedule.job.job import Job
from watchbot.schedule.store.planner import Planned
from watchbot.schedule.store.run import (
    Cancel,
    LeasedRun,
    LedgerEntry,
    Other,
    RunEnd,
    RunFilter,
    Started,
)
from watchbot.schedule.store.stored import StoredJob
from watchbot.task_record import TaskRecord

NOTHING: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class Jobs(Protocol):
    """The jobs. A change applies only if the job still has the generation that was read."""

    async def page(self, skip: int, count: int) -> tuple[list[StoredJob], int]:
        """At most `count` jobs after the first `skip`, by name; and the number of all jobs."""
        ...

    async def find(self, job_id: str) -> StoredJob | None:
        """The job with this name, or None."""
        ...

    async def of_source(self, source: str) -> set[str]:
        """The names of the jobs with this source."""
        ...

    async def add(self, job: Job, *, source: str | None = None) -> None:
        """Stores a new job. Raises `Taken` or `NeverFires`."""
        ...

    async def change(
        self, old: StoredJob, job: Job, note: str | None = None, *, by_source: bool = False
    ) -> bool:
        """Stores `job` in the place of `old`; False if another client has changed `old`.

        `note` says why the job is paused. `by_source`: the job's source made the change. Calls off
        the runs of a job that is now suspended, as `Runs.call_off` does. Raises `NeverFires`.
        """
        ...

    async def remove(self, job_id: str, generation: int | None = None) -> bool:
        """Removes a job; False if it does not exist, or has another generation.

        Calls off its runs, as `Runs.call_off` does. Finished runs stay in the ledger.
        """
        ...


class Runs(Protocol):
    """The runs for the API and the planner: an entry for each time when a job was due.

    The entry's key (job, time, cause) prevents two replicas from entering one run twice.
    """

    async def enter(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
        """Writes entries; returns those that are new.

        In a backfill, a run that was skipped or has failed counts as new again.
        """
        ...

    async def call_off(self, job_id: str, cancel: Cancel) -> int | None:
        """Calls off these runs of a job; returns their number, or None if no run has that time.

        A run that has surely started nothing is over at once. A run that a replica works at, or
        that may have started tasks, starts nothing more and is over at its next step.
        """
        ...

    async def backfilled(self, job_id: str) -> dict[str, int]:
        """The number of a job's backfill runs by status; `active` means that tasks run."""
        ...

    async def of_job(
        self, job_id: str, limit: int, before: datetime | None
    ) -> list[dict[str, Any]]:
        """The runs of a job, the newest first, in the API's form."""
        ...

    async def recent(self, wanted: RunFilter, limit: int) -> list[dict[str, Any]]:
        """The runs of all jobs that `wanted` admits, the latest first, in the API's form.

        Each has the name of its job as `job`, and the job's `timezone`. Where the store is a
        table of DynamoDB, runs of removed jobs are left out, and the call reads the runs of each
        job since `wanted.since`.
        """
        ...

    async def last(self, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """For each job: its newest run that is past `due`, in the API's form.

        A job without such a run is left out.
        """
        ...

    async def take_started(self, most: int) -> tuple[list[Started], datetime]:
        """Takes runs whose tasks are due for a look; returns them with the store's time.

        No other replica gets these runs meanwhile.
        """
        ...

    async def note_outcome(
        self,
        run: Started,
        outcome: str,
        look_at: datetime | None,
        ends: Mapping[str, Mapping[str, Any]] = NOTHING,
    ) -> None:
        """Stores the outcome of a run's tasks, and when to look again; the job counts failures.

        `ends` has what is known of tasks that ended, by ARN, in the API's form.
        Raises `Lost` if the outcome is final already.
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
        """Claims the job for the decision about this run; returns the job's other open runs.

        Returns None if another run has the claim. The claim lasts until its run is put off or over,
        or until no replica works at it.
        """
        ...

    async def note(self, run: LeasedRun, decided: Sequence[Other] | None = None) -> None:
        """Stores the run's progress. Raises `Lost` or `CalledOff`.

        `decided` has the other runs on which a decision depends. With `decided`, stores the
        progress only if this run still has the job's claim.
        """
        ...

    async def end_others(self, run: LeasedRun, others: Sequence[Other], reason: str) -> None:
        """Calls off other runs of the run's job."""
        ...

    async def put_off(self, run: LeasedRun, seconds: float, reason: str, failed: bool) -> None:
        """Puts off a run, and gives up its lease; `failed` counts an attempt.

        Raises `Lost` or `CalledOff`.
        """
        ...

    async def finish(self, run: LeasedRun, ending: RunEnd) -> datetime:
        """Ends a run, and updates its job; returns the time of the end. Raises `Lost`."""
        ...


class Store(Protocol):
    """An open store."""

    @property
    def shown_url(self) -> str:
        """The store's URL without a password."""
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
        """The record of tasks in this database; empty unless `watchbot record` writes there."""
        ...

    async def now(self) -> datetime:
        """The time by the store's clock, the only one that all replicas share."""
        ...

    async def look_at_clock(self) -> timedelta | None:
        """The set-back of the store's clock since the last look; None if there is none.

        After a set-back, computes the next fire of each job again, and makes runs that were put off
        to a time far ahead due within a minute.
        """
        ...

    async def plan(self) -> Planned:
        """Plans the due jobs, in one pass: enters their runs and moves the jobs on, in one step."""
        ...

    async def seconds_to_plan(self, most: float) -> float:
        """Seconds until a job is due; at most `most`."""
        ...

    def ledger(self, owner: str) -> Ledger:
        """The ledger of a replica with this name."""
        ...
