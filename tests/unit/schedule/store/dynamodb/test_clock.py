"""The clock of a server that dates its answers by the second."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from watchbot.schedule.store.dynamodb.clock import MEMORY_S, ServerClock

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


class Server:
    """A server at noon, and a machine whose clock began at 0; answers take no time."""

    def __init__(self) -> None:
        self.time = 0.0
        self.ahead = NOON
        self.clock = ServerClock(lambda: self.time)

    def answer(self) -> None:
        moment = datetime.fromtimestamp(int(self.time + self.ahead), UTC)
        self.clock.told(format_datetime(moment, usegmt=True))

    async def behind(self) -> float:
        """By how much our clock is behind the server's."""
        return self.time + self.ahead - (await self.clock.now()).timestamp()


@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=50))
async def test_never_ahead_and_at_most_a_second_behind(pauses: list[float]) -> None:
    server = Server()
    for pause in pauses:
        server.time += pause
        server.answer()
        assert -1e-5 <= await server.behind() < 1


async def test_the_more_answers_the_closer() -> None:
    server = Server()
    for _ in range(50):
        server.time += 1.03
        server.answer()

    assert await server.behind() < 0.05


async def test_clock_that_is_put_back_is_followed_within_two_minutes() -> None:
    server = Server()
    server.time = 1.5
    server.answer()
    server.ahead -= 300
    for _ in range(3):
        server.time += MEMORY_S
        server.answer()

    assert 0 <= await server.behind() < 1


async def test_machine_that_slept_catches_up_at_the_next_answer() -> None:
    server = Server()
    server.answer()
    server.ahead += 3600  # its own clock stood still
    server.time += 0.2
    server.answer()

    assert await server.behind() < 1


async def test_before_the_first_answer_it_is_this_machine_s() -> None:
    now = await ServerClock().now()

    assert abs((datetime.now(UTC) - now).total_seconds()) < 60
