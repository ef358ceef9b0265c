"""`Progress`: the synchronous interface to jobs, for workers."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from watchbot.errors import NoSuchJob, ReduceUnsent, UsageError
from watchbot.progress.claim import Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob, check_new, info, status
from watchbot.progress.messages import map_messages, reduce_message, send
from watchbot.progress.store import ProgressStore, open_store
from watchbot.settings.base import load
from watchbot.settings.progress import ProgressSettings
from watchbot.sqs.destination import Destination, open_destination

Answer = TypeVar("Answer")


class Progress:
    """Map-reduce jobs: the number of their parts, and which parts are done.

    `progress_table` names the store; `work_topic` or `queue_url` gets the messages. The variables
    `ProgressTable`, `WorkTopic` and `QueueUrl` are the defaults. Pass `region` and `endpoint_url`
    where needed, or a `store`, such as `MemoryStore()`, and a `destination`. Raises
    `SettingError`.

    Each call opens its connections and closes them. Calls about a job raise `NoSuchJob`; all
    raise `AwsError` or `DatabaseError` when the store or queue refuses.
    """

    def __init__(
        self,
        *,
        store: ProgressStore | None = None,
        destination: Destination | None = None,
        **given: str | None,
    ) -> None:
        chosen = {name: value for name, value in given.items() if value is not None}
        self._settings = load(ProgressSettings, chosen)
        self._store, self._destination = store, destination

    def set_total(
        self, jobid: str, total: int, *, first: int = 1, ttl_s: float | None = None
    ) -> None:
        """Begins a job with `total` parts, whose numbers begin at `first`.

        Begins a finished or failed job again, and leaves a running one unchanged. The store may
        forget the job after `ttl_s` seconds. Raises `JobDiffers` for a running job with other
        parts, `UsageError` for a bad id, total or time.
        """
        self._begin(jobid, range(first, first + total), ttl_s, anew=True)

    def create_job(
        self,
        jobid: str,
        parts: Sequence[Mapping[str, Any]],
        *,
        metadata: Any = None,
        ttl_s: float | None = None,
    ) -> None:
        """Begins a job with these parts, from 0, and sends the `map` message of each.

        A second call sends the messages again; workers may then do parts twice. Raises the errors
        of `set_total`; `UsageError` for a part that is no JSON, before it does anything;
        `MessagesUnsent` when some messages could not be sent.
        """
        messages = map_messages(jobid, parts, metadata)
        # Not anew: SQS may deliver the message that begins a job again after the job is over.
        self._begin(jobid, range(len(parts)), ttl_s)

        async def begin(store: ProgressStore) -> None:
            if metadata is not None:
                await store.note(jobid, "metadata", metadata)
            async with self._opened_destination() as destination:
                await send(destination, jobid, messages)

        self._run(begin)

    def complete_part(self, jobid: str, partid: int) -> bool:
        """Completes a part; True for exactly one call once all parts are done.

        A part may be completed again: if the caller that finished the job died before it got its
        answer, the next call gets True. False for a job that has failed. Raises `NoSuchPart`.
        """
        claim = _new_claim()
        return self._run(lambda store: store.complete(jobid, partid, claim)) is Completion.LAST

    def finish_part(
        self, jobid: str, partid: int, on_reduce: Callable[[dict[str, Any]], object] | None = None
    ) -> None:
        """Completes a part; once all are done, sends the `reduce` message and notes that.

        Calls `on_reduce` instead of sending, where given, with `jobid` and `metadata`.

        Raises `ReduceUnsent` when another call was to send the message, but has not noted that it
        did: its process may have died. After a minute a new call takes over. Raises
        `MessagesUnsent` or `AwsError` when the message cannot be sent.
        """

        async def finish(store: ProgressStore) -> None:
            claim = _new_claim()
            completion = await store.complete(jobid, partid, claim)
            if completion is Completion.OPEN:
                return
            job = await store.read(jobid)
            if completion is Completion.CLAIMED:
                if job.reduce_sent:
                    return
                if not await store.take_over(jobid, claim):
                    raise ReduceUnsent(jobid)
            if on_reduce is None:
                async with self._opened_destination() as destination:
                    await send(destination, jobid, [reduce_message(jobid, job.metadata)])
            else:
                on_reduce({"jobid": jobid, "metadata": job.metadata})
            await store.note(jobid, "reduceSent", True)

        self._run(finish)

    def fail_job(self, jobid: str, reason: Any) -> None:
        """Marks a job as failed, for good; the first reason stays.

        The reason is any JSON value but null, which raises `UsageError`.
        """
        if reason is None:
            raise UsageError("say why the job has failed")
        self._note(jobid, "error", reason)

    def set_metadata(self, jobid: str, metadata: Any) -> None:
        """Stores a JSON value with a job, in place of its last metadata."""
        self._note(jobid, "metadata", metadata)

    def reduce_sent(self, jobid: str) -> None:
        """Notes that the job's `reduce` message was sent."""
        self._note(jobid, "reduceSent", True)

    def job(self, jobid: str) -> MapReduceJob:
        """The job, without the state of its parts: one read, for any number of parts."""
        return self._run(lambda store: store.read(jobid))

    def status(self, jobid: str, part: int | None = None) -> dict[str, Any]:
        """`progress`; where they exist, `failed` (the reason), `metadata` and `reduceSent`.

        `progress` is rounded down to hundredths: 1 means that all parts are done. Adds
        `partComplete` for a given part. Raises `NoSuchPart`.
        """

        async def ask(store: ProgressStore) -> dict[str, Any]:
            done = None if part is None else await store.is_done(jobid, part)
            return status(await store.read(jobid), await store.remaining(jobid), done)

        return self._run(ask)

    def info(self, jobid: str) -> dict[str, Any]:
        """The status with `jobid`, `total` and `remaining`."""

        async def ask(store: ProgressStore) -> dict[str, Any]:
            return info(await store.read(jobid), await store.remaining(jobid))

        return self._run(ask)

    def pending(self, jobid: str) -> list[int]:
        """The numbers of the open parts, in order."""
        return self._run(lambda store: store.pending(jobid))

    def jobs(self) -> list[dict[str, Any]]:
        """The `info` of each job."""

        async def ask(store: ProgressStore) -> list[dict[str, Any]]:
            said = []
            async for jobid in store.jobs():
                with suppress(NoSuchJob):  # the store has just forgotten it
                    said.append(info(await store.read(jobid), await store.remaining(jobid)))
            return said

        return self._run(ask)

    def _begin(self, jobid: str, parts: range, ttl_s: float | None, *, anew: bool = False) -> None:
        check_new(jobid, len(parts), ttl_s)
        expires = None if ttl_s is None else int(time.time() + ttl_s)
        self._run(lambda store: store.create(jobid, parts, expires=expires, anew=anew))

    def _note(self, jobid: str, fact: Fact, value: Any) -> None:
        self._run(lambda store: store.note(jobid, fact, value))

    def _run(self, work: Callable[[ProgressStore], Awaitable[Answer]]) -> Answer:
        async def with_store() -> Answer:
            async with self._opened_store() as store:
                return await work(store)

        # In a thread, so that callers inside an event loop can also use it.
        with start_blocking_portal() as portal:
            return portal.call(with_store)

    def _opened_store(self) -> AbstractAsyncContextManager[ProgressStore]:
        return open_store(self._settings) if self._store is None else nullcontext(self._store)

    def _opened_destination(self) -> AbstractAsyncContextManager[Destination]:
        settings, given = self._settings, self._destination
        if given is None:
            return open_destination(settings.destination, settings.aws)
        return nullcontext(given)


def _new_claim() -> Claim:
    return Claim(token=uuid.uuid4().hex, at=int(time.time()))
