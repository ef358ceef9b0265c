"""`Progress`: jobs as a worker calls for them, without an event loop of its own."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from watchbot.errors import NoSuchJob, ReduceUnsent, UsageError
from watchbot.progress.claim import Claim, Completion, Fact
from watchbot.progress.job import Job, check_new, info, status
from watchbot.progress.messages import map_messages, reduce_message, send
from watchbot.progress.store import Store, open_store
from watchbot.settings.base import load
from watchbot.settings.progress import ProgressSettings
from watchbot.sqs.destination import Destination, open_destination

Answer = TypeVar("Answer")


class Progress:
    """Map-reduce jobs: how many parts each has, and which are done.

    `progress_table` says where they are kept, `work_topic` or `queue_url` where their messages go,
    else the variables `ProgressTable`, `WorkTopic` and `QueueUrl`. `region` and `endpoint_url` may
    be given, too. Or give a `store`, such as `MemoryStore()`, and a `destination`. Raises
    `SettingError`.

    Each call opens what it needs and closes it. Those of a job raise `NoSuchJob`; all raise
    `AwsError` or `DatabaseError` for what is refused.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
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

        One that is over (all its parts are done, or it has failed) begins anew; one that is under
        way stays as it is. The job may be forgotten after `ttl_s` seconds. Raises
        `JobDiffers` for a job that was begun with other parts, `UsageError` for a bad id,
        total or time.
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

        Done again, it sends them again, and they may be done twice. Raises what `set_total` does;
        `UsageError` for a part that is no JSON, before anything is done; `MessagesUnsent` when not
        all messages were sent.
        """
        messages = map_messages(jobid, parts, metadata)
        # Not anew: the message that begins a job may come again once the job is over.
        self._begin(jobid, range(len(parts)), ttl_s)

        async def begin(store: Store) -> None:
            if metadata is not None:
                await store.note(jobid, "metadata", metadata)
            async with self._opened_destination() as destination:
                await send(destination, jobid, messages)

        self._run(begin)

    def complete_part(self, jobid: str, partid: int) -> bool:
        """Whether all parts are done, and this call is the one that is told so: no other is.

        A part may be completed again: if its first caller died before anybody was told, the second
        is. False for a job that has failed. Raises `NoSuchPart`.
        """
        claim = _new_claim()
        return self._run(lambda store: store.complete(jobid, partid, claim)) is Completion.LAST

    def finish_part(
        self, jobid: str, partid: int, on_reduce: Callable[[dict[str, Any]], object] | None = None
    ) -> None:
        """Completes a part; if all parts are done, sends the `reduce` message, and notes that.

        `on_reduce` is called in place of sending it, with what it would hold: `jobid`, `metadata`.

        Raises `ReduceUnsent` when another call was told that all is done, but has not noted that
        it sent the message: its process may have died. After a minute this call takes its place.
        Raises `MessagesUnsent` or `AwsError` when the message cannot be sent.
        """

        async def finish(store: Store) -> None:
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
        """Marks a job as failed, for good; of two reasons the first stays.

        A reason is anything that is JSON, but null: that raises `UsageError`.
        """
        if reason is None:
            raise UsageError("say why the job has failed")
        self._note(jobid, "error", reason)

    def set_metadata(self, jobid: str, metadata: Any) -> None:
        """Keeps anything that is JSON with a job, in place of what was kept before."""
        self._note(jobid, "metadata", metadata)

    def reduce_sent(self, jobid: str) -> None:
        """Notes that the job's `reduce` message was sent."""
        self._note(jobid, "reduceSent", True)

    def job(self, jobid: str) -> Job:
        """The job, without its parts: one read, whatever their number."""
        return self._run(lambda store: store.read(jobid))

    def status(self, jobid: str, part: int | None = None) -> dict[str, Any]:
        """`progress`; where there are any, `failed` (the reason), `metadata` and `reduceSent`.

        `progress` is rounded down to hundredths: 1 means that all parts are done. With a part's
        number: `partComplete`, too. Raises `NoSuchPart`.
        """

        async def ask(store: Store) -> dict[str, Any]:
            done = None if part is None else await store.is_done(jobid, part)
            return status(await store.read(jobid), await store.remaining(jobid), done)

        return self._run(ask)

    def info(self, jobid: str) -> dict[str, Any]:
        """The status with `jobid`, `total` and `remaining`."""

        async def ask(store: Store) -> dict[str, Any]:
            return info(await store.read(jobid), await store.remaining(jobid))

        return self._run(ask)

    def pending(self, jobid: str) -> list[int]:
        """The numbers of the parts that are not done, in order."""
        return self._run(lambda store: store.pending(jobid))

    def jobs(self) -> list[dict[str, Any]]:
        """What `info` says of each job."""

        async def ask(store: Store) -> list[dict[str, Any]]:
            said = []
            async for jobid in store.jobs():
                with suppress(NoSuchJob):  # forgotten just now
                    said.append(info(await store.read(jobid), await store.remaining(jobid)))
            return said

        return self._run(ask)

    def _begin(self, jobid: str, parts: range, ttl_s: float | None, *, anew: bool = False) -> None:
        check_new(jobid, len(parts), ttl_s)
        expires = None if ttl_s is None else int(time.time() + ttl_s)
        self._run(lambda store: store.create(jobid, parts, expires=expires, anew=anew))

    def _note(self, jobid: str, fact: Fact, value: Any) -> None:
        self._run(lambda store: store.note(jobid, fact, value))

    def _run(self, work: Callable[[Store], Awaitable[Answer]]) -> Answer:
        async def with_store() -> Answer:
            async with self._opened_store() as store:
                return await work(store)

        # In a thread of its own: so it serves a caller, too, who is inside an event loop.
        with start_blocking_portal() as portal:
            return portal.call(with_store)

    def _opened_store(self) -> AbstractAsyncContextManager[Store]:
        return open_store(self._settings) if self._store is None else nullcontext(self._store)

    def _opened_destination(self) -> AbstractAsyncContextManager[Destination]:
        settings, given = self._settings, self._destination
        if given is None:
            return open_destination(settings.destination, settings.account)
        return nullcontext(given)


def _new_claim() -> Claim:
    return Claim(token=uuid.uuid4().hex, at=int(time.time()))
