"""What a round of chaos does while no worker that stays is alive."""

import errno
from collections.abc import Sequence

import pytest

from tests.support.watching import FakeRunner, some_settings
from watchbot.chaos.bodies import Subject
from watchbot.chaos.round import Round, Tools
from watchbot.errors import WatchbotError
from watchbot.lifecycle import Stop
from watchbot.listen.ends import Ends
from watchbot.listen.report import Verdict
from watchbot.listen.runner import Job


class Failing(FakeRunner):
    """Cannot start its first runs, for these reasons."""

    def __init__(self, *reasons: int) -> None:
        super().__init__()
        self._reasons = list(reasons)

    async def run(self, batch: Sequence[Job], slot: int) -> Sequence[Verdict]:
        if self._reasons:
            raise OSError(self._reasons.pop(), "no worker runs")
        return await super().run(batch, slot)


async def calm(runner: FakeRunner) -> Round:
    stop = Stop()
    played = Round(Tools(runner=runner, ends=Ends(some_settings(), stop), slots=2), stop)
    await played.calm([Subject(1, "m1", "body")])
    return played


async def test_a_message_waits_until_a_worker_that_was_killed_is_started_again() -> None:
    played = await calm(Failing(errno.EAGAIN, errno.EAGAIN))

    assert [note.outcome for note in played.notes[1]] == ["completed"]


async def test_a_machine_that_has_no_room_ends_the_trial() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await calm(Failing(errno.ENOSPC))

    assert raised.group_contains(WatchbotError, match="this machine cannot start it")
