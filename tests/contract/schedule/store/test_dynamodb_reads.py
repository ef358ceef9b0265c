"""What each question reads from a table of DynamoDB, which charges for what is read.

A job's older runs cost nothing: the counts are the same for any number of them.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.cloud import REGION, Cloud
from tests.support.house import KEPT, NOON, Clock, a_job
from watchbot.aws import open_client
from watchbot.schedule.store.dynamodb.store import TableStore
from watchbot.schedule.store.dynamodb.table import StoreTable
from watchbot.schedule.store.run import LedgerEntry, RunFilter
from watchbot.settings.base import AwsEndpoint

JOBS, RUNS, LIMIT = 6, 40, 5
DAY = timedelta(days=1)

Question = Callable[[TableStore], Awaitable[object]]
QUESTIONS: dict[str, tuple[Question, tuple[int, int]]] = {  # with its calls and items read
    "a page of jobs": (lambda s: s.jobs.page(0, LIMIT), (1 + LIMIT, JOBS + LIMIT)),
    "a job": (lambda s: s.jobs.find("job-1"), (1, 1)),
    "a job's runs": (lambda s: s.runs.of_job("job-1", LIMIT, None), (1, LIMIT)),
    "a job's older runs": (lambda s: s.runs.of_job("job-1", LIMIT, NOON - DAY), (1, LIMIT)),
    "recent runs of all jobs": (
        lambda s: s.runs.recent(RunFilter(since=NOON - 9 * DAY), LIMIT),
        (1 + JOBS, JOBS + JOBS * LIMIT),
    ),
    "recent runs of a job": (
        lambda s: s.runs.recent(RunFilter(since=NOON - 9 * DAY, job="job-1"), LIMIT),
        (1, LIMIT),
    ),
    "the last run of each job": (
        lambda s: s.runs.last([f"job-{n}" for n in range(JOBS)]),
        (JOBS, JOBS * 10),
    ),
    "jobs to plan, of which there are none": (lambda s: s.plan(), (1, 0)),
    "runs to start, of which there are none": (lambda s: s.ledger("me").take(LIMIT), (1, 0)),
}


class Counting(StoreTable):
    """A table that counts its calls, and the items that DynamoDB reads for them."""

    calls = items = 0

    async def call(self, operation: str, **parameters: Any) -> Any:
        answer = await super().call(operation, **parameters)
        self.calls += 1
        self.items += answer.get("ScannedCount", int("Item" in answer))
        return answer


@pytest.fixture
async def table(cloud: Cloud) -> AsyncIterator[Counting]:
    aws = AwsEndpoint(region=REGION, endpoint_url=cloud.url)
    async with open_client("dynamodb", aws, attempts=1, connections=30) as client:
        table = Counting(client, f"schedule-{uuid.uuid4().hex}", lambda _: None)
        await table.prepare()
        yield table


async def test_questions_read_a_page_of_runs_and_no_more(table: Counting) -> None:
    store = TableStore(table, Clock(), KEPT)
    for number in range(JOBS):
        await store.jobs.add(a_job(f"job-{number}", "0 0 1 1 *"))
    await store.runs.enter(
        [
            LedgerEntry(
                job_id=f"job-{number}",
                due_at=NOON - timedelta(hours=back + 1),
                cause="schedule",
                generation=1,
                job="{}",
                status="skipped",
            )
            for number in range(JOBS)
            for back in range(RUNS)
        ]
    )

    read = {}
    for name, (ask, _) in QUESTIONS.items():
        table.calls = table.items = 0
        await ask(store)
        read[name] = (table.calls, table.items)

    assert read == {name: wanted for name, (_, wanted) in QUESTIONS.items()}
