import logging
from collections.abc import Callable, Mapping, Sequence

import anyio
import pytest

from tests.support.builders import a_jumping_world, a_message
from watchbot.errors import AwsError, Denied, GaveUp, Unreachable
from watchbot.sqs.lease import Lease
from watchbot.sqs.leases import Leases
from watchbot.sqs.message import Message
from watchbot.sqs.queue import Refusal

pytestmark = pytest.mark.jumping
UNREACHABLE = Unreachable(service="SQS", operation="x", code="Gone", text="no answer")
GAVE_UP = GaveUp(service="SQS", operation="x", code="NoAnswerInTime", text="no answer in 20 s")
BUSY = Refusal(code="InternalError", text="try again")
DEAD = Refusal(code="ReceiptHandleIsInvalid", text="not this one")


class ScriptedQueue:
    """A queue that answers its calls from a script, then grants everything."""

    fifo = False
    name = "scripted"

    def __init__(self, *script: AwsError | Refusal) -> None:
        self._script = list(script)
        self.deleted: list[list[str]] = []
        self.hidden: list[list[tuple[str, int]]] = []

    async def receive(self, count: int, wait_s: int, visibility_s: int) -> list[Message]:
        raise AssertionError("nobody asked for that")

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        self.deleted.append([message.id for message in messages])
        return self._answer(len(messages))

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        self.hidden.append([(message.id, seconds) for message, seconds in changes])
        return self._answer(len(changes))

    async def facts(self) -> Mapping[str, str]:
        return {}

    def _answer(self, count: int) -> list[Refusal | None]:
        answer = self._script.pop(0) if self._script else None
        if isinstance(answer, AwsError):
            raise answer
        return [answer] * count


def some_leases(
    queue: ScriptedQueue, visibility_s: int, on_lost: Callable[[Lease], None] = lambda _: None
) -> Leases:
    """Leases by the clock of the loop that runs."""
    return Leases(queue, visibility_s, on_lost, a_jumping_world())


async def test_many_deletes_share_calls_of_ten() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 30) as leases, anyio.create_task_group() as tasks:
        for number in range(25):
            tasks.start_soon(leases.delete, leases.take(a_message(str(number))))

    assert [len(call) for call in queue.deleted] == [10, 10, 5]


@pytest.mark.parametrize("fault", [UNREACHABLE, BUSY], ids=["call fails", "entry is refused"])
async def test_delete_is_tried_until_it_is_done(fault: Unreachable | Refusal) -> None:
    queue = ScriptedQueue(fault, fault)

    async with some_leases(queue, 1) as leases:
        assert await leases.delete(leases.take(a_message()))

    assert queue.deleted == [["m"]] * 3


async def test_messages_that_end_together_are_tried_again_together() -> None:
    queue = ScriptedQueue(BUSY, UNREACHABLE)

    async with some_leases(queue, 1) as leases:
        await leases.delete_all([leases.take(a_message(str(number))) for number in range(10)])

    first, second, *rest = [len(call) for call in queue.deleted]
    assert (first, second, sum(rest)) == (10, 10, 10)


async def test_dead_receipt_is_a_lost_lease_and_is_used_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = ScriptedQueue(DEAD)
    lost: list[Lease] = []

    with caplog.at_level(logging.ERROR, "watchbot"):
        async with some_leases(queue, 30, lost.append) as leases:
            lease = leases.take(a_message())
            assert not await leases.delete(lease)
            assert not await leases.hide(lease, 5)

    assert lost == [lease]
    assert (queue.deleted, queue.hidden) == ([["m"]], [])
    assert [record.message for record in caplog.records] == ["lease lost"]


async def test_message_that_came_late_is_ours_when_the_queue_says_so() -> None:
    queue = ScriptedQueue(BUSY, UNREACHABLE)

    async with some_leases(queue, 30) as leases:
        lease = leases.take(a_message(age_s=31))
        doubtful, ours = lease.doubtful, await leases.confirm(lease)
        settled = await leases.delete(lease)

    assert (doubtful, ours, settled) == (True, True, True)
    assert len(queue.hidden) >= 3  # two that failed, and one that did not


async def test_message_that_came_too_late_is_not_settled() -> None:
    queue, lost = ScriptedQueue(DEAD), list[Lease]()

    async with some_leases(queue, 30, lost.append) as leases:
        lease = leases.take(a_message(age_s=31))
        ours, settled = await leases.confirm(lease), await leases.delete(lease)

    assert (ours, settled) == (False, False)
    assert queue.deleted == []
    assert lost == [lease]


async def test_message_that_came_at_once_needs_no_asking() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 30) as leases:
        lease = leases.take(a_message())
        assert await leases.confirm(lease)
        await leases.delete(lease)

    assert queue.hidden == []


async def test_message_is_never_hidden_past_its_twelve_hours() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 43_200) as leases:
        await leases.hide(leases.take(a_message(age_s=40_000)), 43_200)

    ((_, seconds),) = queue.hidden[0]
    assert 3_190 <= seconds <= 3_195


async def test_lease_is_renewed_once_a_third_of_it_is_over() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 1) as leases:
        due, fresh = a_message("due", age_s=0.4), a_message("fresh")
        leases.take(due)
        leases.take(fresh)
        with anyio.fail_after(5):
            while not queue.hidden:
                await anyio.sleep(0.01)  # a queue announces nothing

    assert queue.hidden[0] == [("due", 1)]


async def test_what_was_settled_is_renewed_no_more() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 1) as leases:
        held = [leases.take(a_message(f"m{number}", age_s=0.4)) for number in range(300)]
        async with anyio.create_task_group() as tasks:
            for lease in held:
                tasks.start_soon(leases.hide, lease, 0)
                await anyio.sleep(0.001)  # spreads the calls over renewals

    given_back = set[str]()
    for call in queue.hidden:
        assert not given_back & {message for message, _ in call}
        given_back |= {message for message, seconds in call if seconds == 0}
    assert len(given_back) == 300


async def test_lease_is_settled_once() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 30) as leases:
        lease = leases.take(a_message())
        settled = [await leases.delete(lease), await leases.hide(lease, 0)]

    assert settled == [True, False]
    assert queue.hidden == []


GONE = Refusal(code="MessageNotInflight", text="it is not in flight")
DENIED = Denied(service="SQS", operation="x", code="AccessDenied", text="not allowed")


class LossyQueue(ScriptedQueue):
    """Deletes, and loses the answers until a renewal has found the message gone."""

    async def delete(self, messages: Sequence[Message]) -> list[Refusal | None]:
        if not self.hidden:
            raise UNREACHABLE
        return [None] * len(messages)

    async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
        await super().hide(changes)
        return [GONE] * len(changes)


@pytest.mark.parametrize("together", [False, True], ids=["alone", "with others"])
async def test_renewal_judges_no_message_that_is_being_deleted(together: bool) -> None:
    lost: list[Lease] = []

    with anyio.fail_after(10):
        async with some_leases(LossyQueue(), 1, lost.append) as leases:
            lease = leases.take(a_message(age_s=0.4))
            await (leases.delete_all([lease]) if together else leases.delete(lease))

    assert (lost, lease.lost, leases.in_hand) == ([], False, 0)


@pytest.mark.parametrize("fault", [UNREACHABLE, GAVE_UP], ids=["service", "tool"])
@pytest.mark.parametrize("settle", ["delete", "delete_all", "hide"])
async def test_message_gone_by_a_try_that_nobody_answered_is_settled(
    settle: str, fault: Unreachable
) -> None:
    lost: list[Lease] = []

    async with some_leases(ScriptedQueue(fault, GONE), 30, lost.append) as leases:
        lease = leases.take(a_message())
        if settle == "delete_all":
            await leases.delete_all([lease])
            done = not lease.lost
        else:
            done = await (leases.delete(lease) if settle == "delete" else leases.hide(lease, 0))

    assert (done, lost) == (True, [])


async def test_message_gone_at_the_first_try_is_lost() -> None:
    lost: list[Lease] = []

    async with some_leases(ScriptedQueue(BUSY, GONE), 30, lost.append) as leases:
        lease = leases.take(a_message())
        done = await leases.delete(lease)

    assert (done, lost) == (False, [lease])


async def test_delete_that_is_denied_is_told_once_and_not_tried_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = ScriptedQueue(*[DENIED] * 30)

    with caplog.at_level(logging.ERROR):
        async with some_leases(queue, 30) as leases:
            done = [await leases.delete(leases.take(a_message(name))) for name in "ab"]

    assert (done, len(queue.deleted)) == ([False, False], 6)
    assert leases.denials.trouble == (
        "sqs:DeleteMessage is denied: SQS delivers completed messages again"
    )
    assert [record.message for record in caplog.records] == [
        "sqs:DeleteMessage is denied",
        "not settled, left to its visibility timeout",
        "not settled, left to its visibility timeout",
    ]


async def test_permission_that_was_given_is_no_trouble_any_more() -> None:
    async with some_leases(ScriptedQueue(DENIED), 30) as leases:
        done = await leases.delete(leases.take(a_message()))

    assert (done, leases.denials.trouble) == (True, None)


async def test_no_try_is_made_after_the_end() -> None:
    queue = ScriptedQueue()

    async with some_leases(queue, 30) as leases:
        lease = leases.take(a_message())
        leases.end_by(0)
        done = await leases.delete(lease)

    assert (done, queue.deleted) == (False, [])


async def test_lease_is_counted_from_the_request_that_renewed_it() -> None:
    class Slow(ScriptedQueue):
        async def hide(self, changes: Sequence[tuple[Message, int]]) -> list[Refusal | None]:
            await anyio.sleep(3)
            return await super().hide(changes)

    world = a_jumping_world()
    async with Leases(Slow(), 30, world=world) as leases:
        lease = leases.take(a_message(age_s=20))
        asked_at = world.now()
        assert await leases.confirm(lease)

    assert lease.expires_at == pytest.approx(asked_at + 30, abs=0.5)
