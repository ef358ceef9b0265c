"""A record that is ten times as large: no question reads more, but for what it counts or lists."""

from datetime import UTC, datetime, timedelta

from tests.support.databases import a_record
from tests.support.many_tasks import Many, fill
from tests.support.rows_read import Question, rows_read
from watchbot.record import answers
from watchbot.record.answers import Filters
from watchbot.record.paging import Page
from watchbot.record.reconcile import UNLEARNED
from watchbot.record.summaries import tidy
from watchbot.record.writer import UNDECIDED

SOON = 20 * 86_400  # seconds of which there are tasks at first
FEW, ALL = 800, 8000
FAMILIES = 4
DAY = timedelta(days=1)
EVERYBODY, NOBODY = Filters(started_by="watchbot-schedule"), Filters(started_by="nobody")
FAMILY = Filters(family="family-1")
BIG = Page(size=400)
DEFINITION = "arn:aws:ecs:eu-west-1:123456789012:task-definition/family-1:1"


def questions(now: datetime) -> dict[str, Question]:
    """What is asked of the time that is there from the first, by name."""
    then = now - 5 * DAY
    quiet, day, first = (then, then + DAY / 48), (then, then + DAY), now - 18 * DAY
    return {
        "running": answers.running,
        "running, of a caller": lambda db: answers.running(db, EVERYBODY),
        "running, of a family": lambda db: answers.running(db, FAMILY),
        "how many run": lambda db: answers.count_running(db, EVERYBODY),
        "at a time": lambda db: answers.at(db, then),
        "at a time, of a caller": lambda db: answers.at(db, then, EVERYBODY),
        "at a time, of nobody": lambda db: answers.at(db, then, NOBODY),
        "timeline of a half hour": lambda db: answers.between(db, quiet, page=BIG),
        "timeline, of a caller": lambda db: answers.between(db, quiet, EVERYBODY, BIG),
        "timeline, of a family": lambda db: answers.between(db, day, FAMILY, BIG),
        "timeline, of nobody": lambda db: answers.between(db, day, NOBODY, BIG),
        "failures": lambda db: answers.failures(db, first),
        "failures by family": lambda db: answers.failures(db, first, "family"),
        "failures by hour": lambda db: answers.failures(db, first, "hour"),
        "failures of a caller": lambda db: answers.failures(db, first, "day", EVERYBODY),
        "failed tasks": lambda db: answers.failed(db, first),
        "definitions to learn": lambda db: db.fetch(UNLEARNED),
        "tasks that a definition decides": lambda db: db.fetch(UNDECIDED, arn=DEFINITION),
    }


async def test_older_tasks_cost_nothing(url: str) -> None:
    now = datetime.now(UTC)
    async with a_record(url) as database:
        many = Many(
            tasks=FEW, step_s=SOON / FEW, history=3, running=20, families=FAMILIES, lost=100
        )
        fill(url, many)
        before = {n: await rows_read(database, url, q) for n, q in questions(now).items()}
        fill(url, Many(
            tasks=ALL - FEW, step_s=SOON / FEW, history=3, running=20, families=FAMILIES,
            lost=10**6, younger=FEW,
        ))  # fmt: skip
        after = {n: await rows_read(database, url, q) for n, q in questions(now).items()}

    assert {n: (before[n], after[n]) for n in before if after[n] > 1.2 * before[n] + 20} == {}


async def test_failures_of_a_year_read_no_tasks_but_those_of_its_first_day(url: str) -> None:
    async with a_record(url) as database:
        fill(url, Many(tasks=ALL, step_s=86_400 / 400, history=0, families=FAMILIES))
        await tidy(database)

        def asked(day: datetime) -> Question:
            return lambda db: answers.failures(db, day)

        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        some, year = noon - 10 * DAY, noon - 365 * DAY  # half a day of tasks, at any time of day
        ten_days = await rows_read(database, url, asked(some))
        whole_year = await rows_read(database, url, asked(year))

    postgres = url.startswith("postgres")
    assert ten_days < (200 + 11 * FAMILIES + 50 if postgres else 7_000)
    assert whole_year < (22 * FAMILIES + 50 if postgres else 5_000)


async def test_missed_reads_the_states_of_tasks_with_gaps(url: str) -> None:
    async with a_record(url) as database:
        many = Many(tasks=ALL, step_s=60, history=3, families=FAMILIES, lost=400)
        fill(url, many)
        read = await rows_read(database, url, answers.missed)
        rows = await answers.missed(database)

    assert len(rows) == ALL // 400
    assert read < (20 * 10 if url.startswith("postgres") else 20 * 200)  # of 24,000 states
