from tests.unit.test_notify import a_report
from watchbot.listen.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker
from watchbot.listen.outcome import COMPLETED, FAILED, REJECTED, RETURNED


def test_opens_when_so_many_different_messages_fail_alike() -> None:
    breaker = Breaker(3)

    turned = [breaker.note(a_report(number)) for number in (1, 2, 2, 3)]

    assert turned == [False, False, False, True]
    assert breaker.open


def test_message_that_was_given_up_has_failed_like_any_other() -> None:
    breaker = Breaker(2)

    for number in range(2):
        breaker.note(a_report(number, outcome=FAILED.buried))

    assert breaker.open


def test_failures_of_different_kinds_are_no_pattern() -> None:
    breaker = Breaker(2)

    for number in range(10):
        breaker.note(a_report(number, tail="abcdefghij"[number]))

    assert not breaker.open


def test_one_success_proves_the_command_good() -> None:
    breaker = Breaker(2)
    breaker.note(a_report(0, outcome=COMPLETED))

    for number in range(10):
        breaker.note(a_report(number))

    assert not breaker.open


def test_pause_doubles_with_each_failure_and_success_closes() -> None:
    breaker = Breaker(1)
    breaker.note(a_report(0))
    pauses = [breaker.pause_s]

    for number in range(6):
        breaker.note(a_report(number))
        pauses.append(breaker.pause_s)
    closed = breaker.note(a_report(9, outcome=COMPLETED))

    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert closed
    assert not breaker.open


def test_failures_in_hand_before_are_no_news() -> None:
    breaker = Breaker(2)
    reports = [a_report(number) for number in range(20)]

    turned = [breaker.note(report) for report in reports]

    assert turned == [False, True] + [False] * 18
    assert breaker.pause_s == FIRST_PAUSE_S


def test_what_the_command_decides_is_no_failure() -> None:
    breaker = Breaker(1)

    assert not breaker.note(a_report(1, outcome=REJECTED))
    assert not breaker.note(a_report(2, outcome=RETURNED))


def test_zero_never_opens() -> None:
    breaker = Breaker(0)

    assert not any(breaker.note(a_report(number)) for number in range(100))
