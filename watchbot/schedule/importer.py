"""`watchbot schedule import`: takes the jobs of ecs-scheduler, or of clockwork, into the database.

What they had is left as it is. A job whose name is there already is left alone, so that an import
may be done again.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from watchbot.aws import Client, open_client
from watchbot.errors import SettingError
from watchbot.lifecycle import Stop
from watchbot.schedule import COMPONENT, PACKAGE
from watchbot.schedule.clockwork import fields_of_row
from watchbot.schedule.job import Job, resolved
from watchbot.schedule.jobs import Jobs, NeverFires, Taken, database_clock
from watchbot.schedule.problems import messages
from watchbot.schedule.stacks import scan
from watchbot.settings.base import Account, describe
from watchbot.settings.schedule import ImportSettings
from watchbot.sql.database import Database, open_database
from watchbot.sql.migrate import migrate

NO_SOURCE = (
    "must be sqlite:///FILE or s3://BUCKET/PREFIX of ecs-scheduler, or dynamodb://TABLE of it or "
    "of clockwork"
)

Found = tuple[str, dict[str, Any] | str]  # a job's name, and its fields; or why there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one job. `problem` says why it was not taken."""

    job_id: str
    taken: bool
    problem: str | None = None


async def take_over(
    database: Database, source: str, account: Account, *, dry_run: bool
) -> AsyncIterator[Verdict]:
    """Takes each job that `source` has; what became of it.

    Raises `SettingError`, `DatabaseError` or `AwsError` when the source cannot be read.
    """
    jobs = Jobs(database, database_clock(database))
    async for job_id, fields in _jobs_of(source, account):
        yield await _take(jobs, job_id, fields, dry_run=dry_run)


async def _take(jobs: Jobs, job_id: str, fields: dict[str, Any] | str, *, dry_run: bool) -> Verdict:
    if isinstance(fields, str):
        return Verdict(job_id=job_id, taken=False, problem=fields)
    try:
        job = Job.model_validate(resolved({**fields, "id": job_id}))
    except ValidationError as invalid:
        return Verdict(job_id=job_id, taken=False, problem=json.dumps(messages(invalid)))
    if await jobs.find(job_id):
        return Verdict(job_id=job_id, taken=False, problem="there is a job of this name")
    if not dry_run:
        try:
            await jobs.add(job)
        except Taken:
            return Verdict(job_id=job_id, taken=False, problem="there is a job of this name")
        except NeverFires as error:
            return Verdict(job_id=job_id, taken=False, problem=str(error))
    return Verdict(job_id=job_id, taken=True)


async def _jobs_of(source: str, account: Account) -> AsyncIterator[Found]:
    parts = urlsplit(source)
    place, path = parts.netloc, parts.path.strip("/")
    if parts.scheme == "sqlite":
        async with open_database(source, create=False) as old:
            for row in await old.fetch("SELECT id, data FROM jobs ORDER BY id"):
                yield row["id"], _read(row["data"])
    elif parts.scheme == "s3" and place:
        async with open_client("s3", account) as client:
            async for found in _of_bucket(client, place, path):
                yield found
    elif parts.scheme == "dynamodb" and place:
        async with open_client("dynamodb", account) as client:
            async for found in _of_table(client, place):
                yield found
    else:
        raise SettingError(describe("source"), NO_SOURCE)


async def _of_bucket(client: Client, bucket: str, prefix: str) -> AsyncIterator[Found]:
    start = f"{prefix}/" if prefix else ""
    token: dict[str, str] = {}
    while True:
        answer = await client.call(
            "list_objects_v2", Bucket=bucket, Prefix=start, Delimiter="/", **token
        )
        for entry in answer.get("Contents", ()):
            name = entry["Key"].removeprefix(start)
            if name.endswith(".json"):
                found = await client.call("get_object", Bucket=bucket, Key=entry["Key"])
                text = await found["Body"].read()
                yield name.removesuffix(".json"), _read(text.decode(errors="replace"))
        if not answer.get("IsTruncated"):
            return
        token = {"ContinuationToken": answer["NextContinuationToken"]}


async def _of_table(client: Client, table: str) -> AsyncIterator[Found]:
    async for row in scan(client, table):
        if "job-id" in row:
            yield row["job-id"], _read(row.get("json-data", ""))
        else:
            yield row.get("id", "?"), _of_clockwork(row)


def _of_clockwork(row: Mapping[str, str]) -> dict[str, Any] | str:
    try:
        return fields_of_row(row)
    except ValueError as error:
        return str(error)


def _read(text: str) -> dict[str, Any] | str:
    try:
        fields = json.loads(text)
    except ValueError:
        return "its data are no JSON"
    if not isinstance(fields, dict):
        return "its data are no JSON object"
    return {name: value for name, value in fields.items() if value is not None}


async def import_jobs(settings: ImportSettings, stop: Stop) -> int:
    """Takes over all jobs of a source, and says so for each; the exit code."""
    refused = 0
    async with open_database(settings.database) as database:
        await migrate(database, COMPONENT, PACKAGE)
        verdicts = take_over(database, settings.source, settings.account, dry_run=settings.dry_run)
        async for verdict in verdicts:
            refused += not verdict.taken
            print(f"{verdict.job_id}: {verdict.problem or 'taken'}", flush=True)
            if stop.draining.is_set():
                return 1
    return 1 if refused else 0
