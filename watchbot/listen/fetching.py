"""Fetches the bodies that messages of a batch point to, before their run."""

from dataclasses import replace

import anyio

from watchbot.lifecycle import until
from watchbot.listen.closing import WENT_BACK
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job
from watchbot.outcome import FAILED, LEAVING, REJECTED, RELEASED
from watchbot.sqs.payload import PayloadError, PayloadGone, Payloads, pointer_in, remove

AT_ONCE = 4  # objects of one batch


class Bodies:
    """The messages of a batch, with a verdict for each that is not to run.

    `jobs` have their fetched bodies; `remove` deletes the files of these.
    """

    def __init__(self, jobs: list[Job], unrun: list[Verdict | None]) -> None:
        self.jobs, self.unrun = jobs, unrun

    async def fetch(self, payloads: Payloads, leaving: anyio.Event, *, fifo: bool) -> None:
        """Fetches what the messages to run point to; gives up once the watcher is `leaving`.

        A body that cannot be fetched is a verdict. With `fifo`, all messages behind one that goes
        back do so, too.
        """
        pointing = [
            number
            for number, job in enumerate(self.jobs)
            if self.unrun[number] is None and pointer_in(job.content.body)
        ]
        if not pointing:
            return
        for number in pointing:
            self.unrun[number] = Verdict(outcome=RELEASED, reason=LEAVING)
        at_once = anyio.CapacityLimiter(AT_ONCE)
        async with until(leaving), anyio.create_task_group() as fetching:
            for number in pointing:
                fetching.start_soon(self._fetch, payloads, number, at_once)
        if fifo:
            self._keep_order()

    def remove(self) -> None:
        """Deletes the files."""
        for job in self.jobs:
            if job.content.file is not None:
                remove(job.content.file)

    async def _fetch(self, payloads: Payloads, number: int, at_once: anyio.CapacityLimiter) -> None:
        job = self.jobs[number]
        try:
            async with at_once:
                content = await payloads.fetched(job.content)
        except PayloadGone as gone:
            self.unrun[number] = Verdict(outcome=REJECTED, reason=f"payload: {gone}")
        except PayloadError as error:
            self.unrun[number] = Verdict(outcome=FAILED, reason=f"payload: {error}")
        else:
            self.jobs[number] = replace(job, content=content)
            self.unrun[number] = None

    def _keep_order(self) -> None:
        goes_back = False
        for number, verdict in enumerate(self.unrun):
            if goes_back:
                self.unrun[number] = Verdict(outcome=RELEASED, reason=WENT_BACK)
            goes_back = goes_back or (verdict is not None and not verdict.outcome.removes)
