"""The console's pages of ECS tasks: those that failed or run, one task, and a database away."""

from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import pytest

from tests.support.cloud import Cloud
from tests.support.console import Person, console
from tests.support.databases import a_record
from tests.support.task_events import an_event, states
from watchbot.moment import to_text
from watchbot.record.writer import write

TASK = "arn:aws:ecs:eu-west-1:123456789012:task/blue/"


@pytest.fixture(scope="module")
def ann(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    database, now = (
        f"sqlite:///{tmp_path_factory.mktemp('record')}/ecs.db",
        to_text(datetime.now(UTC)),
    )
    killed = {"name": "main", "lastStatus": "STOPPED", "exitCode": 137, "reason": "OutOfMemory <b>"}
    ended = {"stopCode": "EssentialContainerExited", "startedAt": now, "stoppedAt": now}

    async def fill() -> None:
        async with a_record(database) as record:
            dead = an_event(3, "STOPPED", taskArn=f"{TASK}dead", containers=[killed], **ended)
            lives = an_event(2, taskArn=f"{TASK}lives", startedAt=now)
            await write(record, states(dead, lives))

    anyio.run(fill)
    words = ("--record", database, "--log-group", "/a/b", "--region", "eu-west-1")
    with console(cloud, *words) as url:
        yield Person(url)


def test_failed_tasks_need_a_person(ann: Person) -> None:
    assert "1 thing needs a person tasks 1 of 1 tasks of job failed in a day" in ann.look("/")


def test_failed_and_running_tasks_are_listed(ann: Person) -> None:
    document = ann.get("/tasks").text
    failed, _, running = document.partition("<h2>Running</h2>")

    assert 'href="/tasks/dead"' in failed
    assert '<td class="number">137</td>' in failed
    assert "OutOfMemory &lt;b&gt;" in failed
    assert "log-group/$252Fa$252Fb$3FlogStreamNameFilter$3Ddead" in failed
    assert 'href="/tasks/lives"' in running
    assert 'href="/tasks/dead"' not in running


def test_page_of_a_task(ann: Person) -> None:
    text = ann.look("/tasks/dead")

    assert "job failed" in text
    assert "main STOPPED 137 OutOfMemory <b>" in text
    assert "its log streams in AWS's console" in text
    assert ann.get("/tasks/nobody").status_code == 404


def test_record_that_is_away_is_named(cloud: Cloud) -> None:
    with console(cloud, "--record", "sqlite:////nowhere/ecs.db") as url:
        page, first = Person(url).look("/tasks"), Person(url).look("/")
    with console(cloud) as url:
        none = Person(url).look("/tasks")

    assert "The record is not seen: " in page
    assert "not seen tasks: " in first
    assert "Start the console with --record" in none
