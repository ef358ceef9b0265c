import pytest

from watchbot.watchdog import Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_takes_its_time_is_not_overdue() -> None:
    clock = Clock()
    watchdog = Watchdog(clock)

    with watchdog.expecting("a poll", 30):
        clock.now += 30
        assert watchdog.overdue() is None


def test_what_should_have_ended_is_named_until_it_ends() -> None:
    clock = Clock()
    watchdog = Watchdog(clock)

    with watchdog.expecting("a poll", 30):
        with watchdog.expecting("a step", 600):
            clock.now += 45
            assert watchdog.overdue() == "a poll is overdue by 15 s"
    assert watchdog.overdue() is None


def test_what_fails_has_ended() -> None:
    clock = Clock()
    watchdog = Watchdog(clock)

    with pytest.raises(OSError, match="failed"), watchdog.expecting("a poll", 30):
        raise OSError("failed")
    clock.now += 45

    assert watchdog.overdue() is None
