import math

from tests.support.builders import Clock, a_world
from watchbot.listen.sentback import SHOWS_IN_S, SentBack


def test_nothing_sent_back_is_nothing_to_wait_for() -> None:
    assert SentBack(900).none_awaited()


def test_message_sent_back_is_awaited_until_it_is_here() -> None:
    sent_back = SentBack(900)
    sent_back.note("m", 60)

    assert not sent_back.none_awaited()
    sent_back.came("m")
    assert sent_back.none_awaited()


def test_message_that_somebody_else_must_have_is_awaited_no_more() -> None:
    clock = Clock()
    sent_back = SentBack(900, a_world(clock))
    sent_back.note("m", 60)

    clock.advance(60)
    assert not sent_back.none_awaited()
    clock.advance(SHOWS_IN_S)
    assert sent_back.none_awaited()


def test_message_that_comes_after_the_longest_wait_is_not_waited_for() -> None:
    clock = Clock()
    sent_back = SentBack(900, a_world(clock))
    sent_back.note("late", 901)
    assert sent_back.none_awaited()

    sent_back.note("soon", 60)
    assert not sent_back.none_awaited()


def test_all_waiting_together_is_no_longer_than_the_longest_wait() -> None:
    clock = Clock()
    sent_back = SentBack(100, a_world(clock))
    sent_back.note("m", 60)
    assert not sent_back.none_awaited()
    clock.advance(60)
    sent_back.came("m")

    clock.advance(1_000)  # the work itself is no waiting
    sent_back.note("m", 30)
    assert not sent_back.none_awaited()
    sent_back.note("m", 60)
    assert sent_back.none_awaited()


def test_waiting_begins_when_the_last_message_leaves() -> None:
    clock = Clock()
    sent_back = SentBack(30, a_world(clock))
    sent_back.note("m", 45)
    sent_back.idle()

    clock.advance(20)  # a poll that finds nothing
    assert sent_back.none_awaited()


def test_no_end_is_set_where_nothing_is_awaited() -> None:
    clock = Clock()
    sent_back = SentBack(30, a_world(clock))
    assert sent_back.idle() == math.inf

    sent_back.note("m", 10)
    assert sent_back.idle() == clock() + 30
    clock.advance(10 + SHOWS_IN_S)
    assert sent_back.idle() == math.inf


def test_waiting_may_be_turned_off() -> None:
    sent_back = SentBack(0)
    sent_back.note("m", 1)

    assert sent_back.none_awaited()
