"""Reduce mode as a worker in Python sees it: `create_job`, `Part`, `Progress`."""

import asyncio
import json
import time
from typing import Any

import pytest

from tests.support.destination import FakeDestination
from watchbot.errors import Denied, SettingError, UsageError
from watchbot.progress import (
    JobDiffers,
    JobFailed,
    MemoryStore,
    MessagesUnsent,
    NoSuchJob,
    NoSuchPart,
    Part,
    Progress,
    ReduceUnsent,
    create_job,
)
from watchbot.progress.claim import CLAIM_S, Claim
from watchbot.sqs.outgoing import Unsent

DENIED = Denied(service="SNS", operation="publish_batch", code="AuthorizationError", text="no")


class Place:
    """A store and a topic in memory, and jobs in them."""

    def __init__(self, topic: FakeDestination | None = None) -> None:
        self.store, self.topic = MemoryStore(), topic or FakeDestination()
        self.progress = Progress(store=self.store, destination=self.topic)

    def create(self, count: int, jobid: str = "job", **more: Any) -> str:
        return create_job([{"x": x} for x in range(count)], jobid, progress=self.progress, **more)

    def part(self, partid: int, **more: Any) -> Part:
        return Part("job", partid, progress=self.progress, **more)

    def sent(self, subject: str) -> list[dict[str, Any]]:
        """The messages with this subject, opened."""
        return [json.loads(each.body) for each in self.topic.taken if each.subject == subject]


def test_each_part_is_sent_with_its_ids() -> None:
    place = Place()

    place.create(2, metadata={"who": "me"})

    common = {"jobid": "job", "metadata": {"who": "me"}}
    assert place.sent("map") == [{"x": 0, "partid": 0, **common}, {"x": 1, "partid": 1, **common}]
    assert place.progress.status("job") == {"progress": 0, "metadata": {"who": "me"}}


def test_job_without_an_id_gets_one() -> None:
    place = Place()

    one = create_job([{}], progress=place.progress)
    other = create_job([{}], progress=place.progress)

    assert one != other
    assert [message["jobid"] for message in place.sent("map")] == [one, other]


def test_job_created_twice_is_one_job() -> None:
    place = Place()
    place.create(2)
    with place.part(0):
        pass

    place.create(2)

    assert place.progress.pending("job") == [1]
    assert len(place.sent("map")) == 4


def test_job_created_with_other_parts_is_refused() -> None:
    place = Place()
    place.create(2)

    with pytest.raises(JobDiffers, match="was begun with the parts 0 to 1; give a new job a new"):
        place.create(3)

    assert len(place.sent("map")) == 2


def test_last_part_sends_reduce_once() -> None:
    place = Place()
    place.create(3, metadata=[1])

    for partid in (1, 0, 1, 2, 2, 0):
        with place.part(partid):
            pass

    assert place.sent("reduce") == [{"jobid": "job", "metadata": [1]}]
    assert place.progress.status("job")["reduceSent"] is True


def test_message_is_taken_as_it_is() -> None:
    place = Place()
    place.create(1)

    with Part(**place.sent("map")[0], progress=place.progress):
        pass

    assert len(place.sent("reduce")) == 1


def test_own_function_reduces_in_place_of_the_message() -> None:
    place, told = Place(), list[dict[str, Any]]()
    place.create(2, metadata={"who": "me"})

    for partid in (0, 1, 1):
        with place.part(partid, on_reduce=told.append):
            pass

    assert told == [{"jobid": "job", "metadata": {"who": "me"}}]
    assert place.sent("reduce") == []
    assert place.progress.status("job")["reduceSent"] is True


def test_keyword_that_no_message_holds_is_refused() -> None:
    place = Place()

    with pytest.raises(TypeError, match="unexpected keyword argument 'on_reduced'"):
        place.part(0, on_reduced=print)


def test_part_that_raises_stays_open() -> None:
    place = Place()
    place.create(1)

    with pytest.raises(ZeroDivisionError), place.part(0, fail_job_on=ValueError):
        raise ZeroDivisionError

    assert place.progress.status("job", 0) == {"progress": 0, "partComplete": False}


@pytest.mark.parametrize("kinds", [ValueError, (KeyError, ValueError), [ValueError]], ids=repr)
def test_fatal_exception_fails_the_job(kinds: Any) -> None:
    place = Place()
    place.create(2)

    with pytest.raises(ValueError, match="bad"), place.part(0, fail_job_on=kinds):
        raise ValueError("bad")

    assert place.progress.status("job")["failed"] == "part 0: ValueError('bad')"


def test_failed_job_begins_no_work_and_never_reduces() -> None:
    place = Place()
    place.create(1)
    place.progress.fail_job("job", "broken")
    began = []

    with pytest.raises(JobFailed, match="'job': has failed: broken"):
        with place.part(0, fail_job_on=ValueError):
            began.append(0)
    with place.part(0):
        began.append(0)

    assert began == [0]
    assert place.sent("reduce") == []
    assert place.progress.status("job", 0) == {
        "progress": 1, "failed": "broken", "partComplete": True
    }  # fmt: skip


def test_refused_reduce_message_is_sent_by_a_later_try() -> None:
    place = Place(FakeDestination(errors=[None, DENIED]))
    place.create(1)
    with pytest.raises(Denied), place.part(0):
        pass

    with pytest.raises(ReduceUnsent, match="try again in a minute"), place.part(0):
        pass

    assert place.sent("reduce") == []
    assert "reduceSent" not in place.progress.status("job")


def test_dead_reducer_is_replaced_after_a_minute() -> None:
    place = Place()
    place.create(1)
    dead = Claim(token="dead", at=int(time.time()) - CLAIM_S - 1)
    asyncio.run(place.store.complete("job", 0, dead))

    with place.part(0):
        pass
    with place.part(0):
        pass

    assert len(place.sent("reduce")) == 1


def test_parts_that_were_not_sent_are_told() -> None:
    body = json.dumps({"x": 1, "partid": 1, "jobid": "job", "metadata": None})
    no = Unsent(code="InvalidParameter", text="too long")
    place = Place(FakeDestination(refusals={body: [no]}))

    with pytest.raises(MessagesUnsent, match=r"messages not sent: 1 \(InvalidParameter: too long"):
        place.create(3)

    assert len(place.sent("map")) == 2


def test_part_that_is_no_json_begins_nothing() -> None:
    place = Place()

    with pytest.raises(UsageError, match="part 1 cannot be written as JSON"):
        create_job([{}, {"x": object()}], "job", progress=place.progress)

    assert place.topic.taken == []
    with pytest.raises(NoSuchJob):
        place.progress.status("job")


def test_fifo_parts_need_not_wait_for_each_other() -> None:
    place = Place(FakeDestination(fifo=True))

    place.create(2)

    assert len({message.group_id for message in place.topic.taken}) == 2


def test_fifo_parts_of_a_job_created_twice_are_dropped_by_the_queue() -> None:
    place = Place(FakeDestination(fifo=True))

    place.create(2)
    place.create(2)

    assert len({message.dedup_id for message in place.topic.taken}) == 2


@pytest.mark.parametrize(
    ("total", "done", "progress"),
    [(4, 1, 0.25), (3, 1, 0.33), (3, 2, 0.66), (1000, 999, 0.99), (1000, 1000, 1)],
)
def test_progress_is_rounded_down(total: int, done: int, progress: float) -> None:
    place = Place()
    place.progress.set_total("job", total)

    async def complete() -> None:
        for part in range(1, done + 1):
            await place.store.complete("job", part, Claim(token="t", at=0))

    asyncio.run(complete())

    assert place.progress.status("job") == {"progress": progress}
    assert place.progress.info("job")["remaining"] == total - done


@pytest.mark.parametrize("part", [-1, 0, 4])
def test_part_that_does_not_exist(part: int) -> None:
    place = Place()
    place.progress.set_total("job", 3)

    with pytest.raises(NoSuchPart, match=f"has no part {part}; its parts are 1 to 3"):
        place.progress.complete_part("job", part)
    with pytest.raises(NoSuchPart):
        place.progress.status("job", part)


@pytest.mark.parametrize("total", [-1, 0, 10_000_001])
def test_total_out_of_bounds(total: int) -> None:
    with pytest.raises(UsageError, match="a job has 1 to 10,000,000 parts"):
        Place().progress.set_total("job", total)


def test_failure_without_a_reason() -> None:
    place = Place()
    place.create(1)

    with pytest.raises(UsageError, match="say why"):
        place.progress.fail_job("job", None)

    assert place.progress.status("job") == {"progress": 0}


@pytest.mark.parametrize("ttl_s", [0, -1])
def test_job_cannot_be_forgotten_at_once(ttl_s: float) -> None:
    with pytest.raises(UsageError, match="kept for at least 1 second"):
        Place().progress.set_total("job", 1, ttl_s=ttl_s)


@pytest.mark.parametrize("jobid", ["", "x" * 1025], ids=["empty", "long"])
def test_bad_id(jobid: str) -> None:
    with pytest.raises(UsageError, match="a job's id has 1 to 1,024 bytes"):
        Place().progress.set_total(jobid, 1)


def test_caller_may_be_inside_an_event_loop() -> None:
    async def worker() -> bool:
        place = Place()
        place.progress.set_total("job", 1)
        return place.progress.complete_part("job", 1)

    assert asyncio.run(worker())


def test_store_and_topic_must_be_named() -> None:
    with pytest.raises(SettingError, match=r"--progress-table \(WATCHBOT_PROGRESS_TABLE, Prog"):
        Progress().status("job")
    with pytest.raises(SettingError, match="WorkTopic, QueueUrl: neither is set"):
        create_job([{}], progress=Progress(store=MemoryStore()))


@pytest.mark.parametrize("place", ["x", "redis:", "http://host", "arn:aws:s3:::b", "a table"])
def test_place_that_is_none(place: str) -> None:
    with pytest.raises(SettingError, match="must be the name or ARN of a DynamoDB table, or redis"):
        Progress(progress_table=place)
