import errno
import os
import resource
from collections.abc import Iterator

import pytest

from tests.support.builders import a_world
from watchbot.listen.reserve import Reserve


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def nothing() -> None:
    pass


def is_open() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def room_for_two() -> Iterator[None]:
    """Leaves enough descriptors for two workers, but not for three."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = os.open(os.devnull, os.O_RDONLY)
    os.close(first)
    held = set(map(int, os.listdir("/dev/fd")))
    left = [number for number in range(first, first + 500) if number not in held]
    resource.setrlimit(resource.RLIMIT_NOFILE, (left[9], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_there_is_room_for_as_many_as_there_are_descriptors(room_for_two: None) -> None:
    reserve = Reserve(nothing)

    assert reserve.take(10) == 2
    assert reserve.take(1) == 0
    assert reserve.trouble == "the machine has no room for a worker: Too many open files"
    reserve.give_back(1)
    assert reserve.take(10) == 1
    assert reserve.trouble is None
    reserve.close()


def test_what_a_worker_takes_over_is_free_just_before_it_starts() -> None:
    reserve = Reserve(nothing)
    before = is_open()

    assert reserve.take(2) == 2
    seat = reserve.seat()
    assert is_open() > before + 3
    for _ in range(2):
        seat.leave()
        assert is_open() == before + 3
    reserve.seat().leave()
    assert is_open() == before


def test_a_machine_that_starts_no_process_has_no_room_and_is_looked_at_again() -> None:
    faults = [OSError(errno.EAGAIN, "Resource temporarily unavailable")] * 2

    def look() -> None:
        if faults:
            raise faults.pop()

    reserve = Reserve(look, a_world(Clock()))

    assert [reserve.take(1) for _ in range(3)] == [0, 0, 1]
    assert reserve.trouble is None
    reserve.close()


def test_a_machine_that_is_well_is_looked_at_once_a_second() -> None:
    looks: list[float] = []
    clock = Clock()
    reserve = Reserve(lambda: looks.append(clock.now), a_world(clock))

    for now in (100.0, 100.4, 100.9, 101.0, 101.5):
        clock.now = now
        reserve.take(1)
        reserve.give_back(1)

    assert looks == [100.0, 101.0]
