"""Keeps jobs in step with the table to which stacks write their schedules.

If the table cannot be read, no job changes: a failed call removes no job.
"""

import json
import logging
from collections.abc import AsyncIterator, Mapping

from pydantic import ValidationError

from watchbot.aws import Client
from watchbot.dynamodb import Table
from watchbot.errors import AwsError
from watchbot.schedule.imports.clockwork import fields_of_row
from watchbot.schedule.job.job import Job
from watchbot.schedule.job.problems import messages
from watchbot.schedule.start.clients import Clients
from watchbot.schedule.store.declared import source_of
from watchbot.schedule.store.store import Jobs
from watchbot.schedule.store.stored import NeverFires, Taken

EVERY_S = 60

log = logging.getLogger(__name__)


async def scan(client: Client, table: str) -> AsyncIterator[dict[str, str]]:
    """Yields the text attributes of each row of a table. Raises `AwsError`."""
    async for page in Table(client, table).pages("scan", ConsistentRead=True):
        for item in page["Items"]:
            yield {name: value["S"] for name, value in item.items() if "S" in value}


class Stacks:
    """Keeps the jobs of one table in step."""

    def __init__(self, clients: Clients, table: str, jobs: Jobs) -> None:
        self._clients, self._table, self._jobs = clients, table, jobs
        self._source = str(source_of(table))

    async def follow(self) -> float:
        """Adds, changes and removes jobs as the table says; returns the seconds to the next pass.

        Raises `DatabaseError`.
        """
        try:
            client = await self._clients.near("dynamodb")
            rows = {row.get("id", ""): row async for row in scan(client, self._table)}
        except AwsError as error:
            log.warning("table not read; jobs stay", extra={"reason": str(error)})
            return EVERY_S
        known = await self._jobs.of_source(self._source)
        for job_id, row in rows.items():
            await self._keep(job_id, row)
        for job_id in known - rows.keys():
            await self._jobs.remove(job_id)
            log.info("job removed", extra={"job": job_id, "source": self._source})
        return EVERY_S

    async def _keep(self, job_id: str, row: Mapping[str, str]) -> None:
        try:
            job = Job.model_validate(
                {**fields_of_row(row), "id": job_id}, context=self._clients.endpoints
            )
        except ValidationError as invalid:
            log.error(  # noqa: TRY400 - a line, no traceback
                "row is no job", extra={"job": job_id, "reason": json.dumps(messages(invalid, Job))}
            )
        except ValueError as error:
            log.error("row is no job", extra={"job": job_id, "reason": str(error)})  # noqa: TRY400 - a line
        else:
            await self._store(job)

    async def _store(self, job: Job) -> None:
        old = await self._jobs.find(job.id)
        if old and old.source_fields == job.stored():
            return  # keeps a later change through the API
        try:
            if old:
                await self._jobs.change(old, job, by_source=True)
            else:
                await self._jobs.add(job, source=self._source)
        except Taken:
            return  # another replica was faster
        except NeverFires as error:
            log.warning("row not taken", extra={"job": job.id, "reason": str(error)})
            return
        log.info("job stored", extra={"job": job.id, "source": self._source})
