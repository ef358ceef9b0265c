from tests.support.builders import Clock, a_report, a_world
from watchbot.listen.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RETURNED
from watchbot.sqs.valve import Valve


def a_breaker(limit: int) -> Breaker:
    return Breaker(limit, Valve())


def test_opens_when_so_many_different_messages_fail_alike() -> None:
    breaker = a_breaker(3)

    opened = []
    for number in (1, 2, 2, 3):
        breaker.observe(a_report(number))
        opened.append(breaker.open)

    assert opened == [False, False, False, True]


def test_open_breaker_lets_one_message_be_tried_after_a_pause() -> None:
    valve = Valve(a_world(Clock()))
    breaker = Breaker(1, valve)

    breaker.observe(a_report(0))
    stopped = (valve.most, valve.held_s)
    breaker.observe(a_report(1, outcome=COMPLETED))

    assert stopped == (1, FIRST_PAUSE_S)
    assert valve.most is None


def test_failure_that_opens_is_told_from_those_before_and_after() -> None:
    breaker = a_breaker(2)
    reports = [a_report(number) for number in range(3)]

    for report in reports:
        breaker.observe(report)

    assert [breaker.was_opened_by(report) for report in reports] == [False, True, False]


def test_message_that_was_given_up_has_failed_like_any_other() -> None:
    breaker = a_breaker(2)

    for number in range(2):
        breaker.observe(a_report(number, outcome=FAILED.buried))

    assert breaker.open


def test_failures_of_different_kinds_are_no_pattern() -> None:
    breaker = a_breaker(2)

    for number in range(10):
        breaker.observe(a_report(number, tail="abcdefghij"[number]))

    assert not breaker.open


def test_one_success_proves_the_command_good() -> None:
    breaker = a_breaker(2)
    breaker.observe(a_report(0, outcome=COMPLETED))

    for number in range(10):
        breaker.observe(a_report(number))

    assert not breaker.open


def test_pause_doubles_with_each_failure_and_success_closes() -> None:
    breaker = a_breaker(1)
    breaker.observe(a_report(0))
    pauses = [breaker.pause_s]

    for number in range(6):
        breaker.observe(a_report(number))
        pauses.append(breaker.pause_s)
    breaker.observe(a_report(9, outcome=COMPLETED))

    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert not breaker.open


def test_failures_in_hand_before_are_no_news() -> None:
    breaker = a_breaker(2)
    reports = [a_report(number) for number in range(20)]

    for report in reports:
        breaker.observe(report)

    assert breaker.open
    assert breaker.pause_s == FIRST_PAUSE_S


def test_what_the_command_decides_is_no_failure() -> None:
    breaker = a_breaker(1)

    for number, outcome in enumerate((REJECTED, RETURNED)):
        breaker.observe(a_report(number, outcome=outcome))

    assert not breaker.open


def test_zero_never_opens() -> None:
    breaker = a_breaker(0)

    for number in range(100):
        breaker.observe(a_report(number))

    assert not breaker.open
