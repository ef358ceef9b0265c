"""Tests which messages in hand may run now, and which of them run together."""

from collections import Counter
from typing import Any

import pytest

from tests.support.builders import Clock, a_message
from watchbot.listen.lanes import Lane, Lanes
from watchbot.sqs.lease import Lease
from watchbot.world import now


def a_lease(name: str, group: str | None = None) -> Lease:
    system: dict[str, Any] = {} if group is None else {"MessageGroupId": group}
    return Lease(a_message(name, **system), 30, 0, now)


def filled(lane: Lane, *leases: Lease) -> Lane:
    for lease in leases:
        lane.add(lease)
    return lane


def names(leases: list[Lease]) -> list[str]:
    return [lease.message.id for lease in leases]


def a_fifo_lane(*names_and_groups: str) -> tuple[Lane, list[Lease]]:
    """A lane with messages such as "a/g": message a of the group g."""
    leases = [a_lease(*text.split("/")) for text in names_and_groups]
    return filled(Lane(fifo=True), *leases), leases


def test_messages_of_a_standard_queue_run_side_by_side_in_order_of_arrival() -> None:
    lane = filled(Lane(fifo=False), *map(a_lease, "abc"))

    assert [names(lane.take(1)) for _ in range(4)] == [["a"], ["b"], ["c"], []]
    assert not lane.ready


def test_batch_of_a_standard_queue_has_what_is_there_up_to_its_size() -> None:
    lane = filled(Lane(fifo=False), *map(a_lease, "abcd"))

    assert [names(lane.take(3)) for _ in range(2)] == [["a", "b", "c"], ["d"]]


def test_batch_of_a_fifo_queue_has_messages_of_one_group() -> None:
    lane, _ = a_fifo_lane("a/g", "b/h", "c/g")

    assert [names(lane.take(3)) for _ in range(3)] == [["a", "c"], ["b"], []]


@pytest.mark.parametrize("size", [1, 3])
def test_twin_waits_for_the_end_of_the_first(size: int) -> None:
    first, twin = a_lease("a"), a_lease("a")
    lane = filled(Lane(fifo=False), first, twin)

    assert lane.take(size) == [first]
    assert not lane.ready
    lane.done([first])
    assert lane.take(size) == [twin]


def test_twins_go_back_with_the_first() -> None:
    first, *twins = [a_lease("a") for _ in range(3)]
    lane = filled(Lane(fifo=False), first, *twins, a_lease("b"))
    lane.take(1)

    assert lane.take_rest(first) == twins
    lane.done([first])
    assert names(lane.take(3)) == ["b"]


def test_groups_on_a_standard_queue_promise_no_order() -> None:
    lane = filled(Lane(fifo=False), a_lease("a", "g"), a_lease("b", "g"))

    assert names(lane.take(2)) == ["a", "b"]


def test_group_of_a_fifo_queue_has_one_batch_at_a_time() -> None:
    lane, (first, second, other) = a_fifo_lane("a/g", "b/g", "c/h")

    assert [lane.take(1), lane.take(1), lane.take(1)] == [[first], [other], []]
    lane.done([first])
    assert lane.take(1) == [second]


def test_batch_of_a_fifo_queue_is_the_next_of_one_group_in_order() -> None:
    lane, _ = a_fifo_lane("a/g", "x/h", "b/g", "c/g", "d/g")

    assert [names(lane.take(3)), names(lane.take(3))] == [["a", "b", "c"], ["x"]]


def test_batch_of_a_fifo_queue_has_no_message_twice() -> None:
    lane, _ = a_fifo_lane("a/g", "b/g", "a/g")

    assert names(lane.take(3)) == ["a", "b"]


def test_rest_of_a_group_goes_back_in_order_and_what_comes_later_may_run() -> None:
    lane, leases = a_fifo_lane("a/g", "b/g", "c/g")
    lane.take(1)

    rest = lane.take_rest(leases[0])
    lane.add(a_lease("d", "g"))

    assert names(rest) == ["b", "c"]
    assert not lane.ready
    lane.done(leases[:1])
    assert names(lane.take(3)) == ["d"]


def test_group_that_is_over_is_forgotten_and_begins_anew() -> None:
    lane, leases = a_fifo_lane("a/g")
    lane.done(lane.take(1))

    lane.add(leases[0])

    assert lane.take(1) == leases


def test_nothing_that_may_run_is_no_batch() -> None:
    assert Lanes([Lane(fifo=False)]).take() is None


def test_full_lanes_share_the_runs_by_weight() -> None:
    heavy, light = Lane(fifo=False, weight=3), Lane(fifo=False)
    for number in range(100):
        heavy.add(a_lease(f"h{number}"))
        light.add(a_lease(f"l{number}"))
    lanes = Lanes([heavy, light])

    shares = Counter(batch.lane for _ in range(40) if (batch := lanes.take()))

    assert shares == {heavy: 30, light: 10}


def test_batch_costs_its_lane_as_much_as_its_messages() -> None:
    big, small = Lane(fifo=False), Lane(fifo=True)
    for number in range(100):
        big.add(a_lease(f"b{number}"))
        small.add(a_lease(f"s{number}", f"g{number}"))
    lanes = Lanes([big, small], size=4)

    batches = [batch for _ in range(25) if (batch := lanes.take())]

    sizes = Counter[Lane]()
    for batch in batches:
        sizes[batch.lane] += len(batch.leases)
    assert sizes[big] == pytest.approx(sizes[small], abs=4)


def test_lane_that_was_empty_makes_up_for_nothing() -> None:
    busy, late = Lane(fifo=False), Lane(fifo=False)
    for number in range(100):
        busy.add(a_lease(f"b{number}"))
    lanes = Lanes([busy, late])
    for _ in range(50):
        lanes.take()
    for number in range(20):
        late.add(a_lease(f"l{number}"))

    shares = Counter(batch.lane for _ in range(10) if (batch := lanes.take()))

    assert shares == {busy: 5, late: 5}


def test_empty_lane_takes_nothing_from_the_others() -> None:
    full, empty = filled(Lane(fifo=False), *map(a_lease, "abc")), Lane(fifo=False, weight=9)

    lanes = Lanes([empty, full])

    assert [batch.lane for _ in range(3) if (batch := lanes.take())] == [full] * 3


def test_batch_that_is_not_full_waits_until_its_window_is_over() -> None:
    clock = Clock()
    lane = filled(Lane(fifo=False, clock=clock), *map(a_lease, "ab"))
    lanes = Lanes([lane], size=3, window_s=10)

    clock.advance(4)
    lane.add(a_lease("c"))
    full = lanes.take()
    lane.add(a_lease("d"))
    clock.advance(9)
    early, due_in_s = lanes.take(), lanes.due_in_s
    clock.advance(1)
    late = lanes.take()

    assert full is not None
    assert (names(list(full.leases)), full.waited_s) == (["a", "b", "c"], 4)
    assert (early, due_in_s) == (None, 1)
    assert late is not None
    assert (names(list(late.leases)), late.waited_s) == (["d"], 10)
    assert lanes.due_in_s is None


def test_batch_waits_no_more_once_nothing_comes() -> None:
    lane = filled(Lane(fifo=False, clock=Clock()), a_lease("a"))
    lanes = Lanes([lane], size=3, window_s=10)

    lanes.hurry()

    assert lanes.take() is not None
