"""Builders and fakes that several tests share."""

import asyncio
import math
import time
from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.jumping import JumpingLoop
from watchbot.listen.care import Ending
from watchbot.listen.report import Report, Run, not_run
from watchbot.listen.runner import Job
from watchbot.outcome import FAILED
from watchbot.sqs.envelope import open_envelope
from watchbot.sqs.message import Attribute, Message
from watchbot.world import REAL, World, now

MOST_STEPS = 1_000_000  # of a jumping loop: no test needs more


def a_message(
    name: str = "m",
    *,
    body: str = "",
    age_s: float = 0,
    receives: int = 1,
    attributes: dict[str, Attribute] | None = None,
    **system: str,
) -> Message:
    """A message received `age_s` seconds ago, for the `receives`th time."""
    return Message(
        id=name,
        receipt=f"r-{name}",
        body=body,
        asked_at=now() - age_s,
        attributes=attributes or {},
        system={"ApproximateReceiveCount": str(receives), **system},
    )


def a_job_of(message: Message, **more: Any) -> Job:
    """A message as a runner sees it, which may always run; `more` are other fields."""
    facts: dict[str, Any] = {
        "content": open_envelope(message),
        "withheld": lambda: None,
        "left_s": lambda: math.inf,
        "leave_seat": lambda: None,
        "tell": lambda _: None,
    }
    return Job(message=message, **{**facts, **more})


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._wakers: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self.seconds

    def tell(self, wake: Callable[[], None]) -> None:
        """Calls `wake` whenever time has gone on."""
        self._wakers.append(wake)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        for wake in self._wakers:
            wake()


def a_world(now: Callable[[], float] = REAL.now, *, seed: int = 1) -> World:
    """A world whose time is `now`, with a fixed seed."""
    return World(now=now, wall=now, chance=Random(seed))


def a_jumping_loop() -> JumpingLoop:
    """An event loop that waits for nothing: where nothing is ready, its clock jumps."""
    return JumpingLoop(MOST_STEPS)


def a_jumping_world() -> World:
    """A world whose clocks go by the loop that runs, from now on."""
    loop = asyncio.get_running_loop()
    began, began_wall = now() - loop.time(), time.time() - loop.time()
    return World(
        now=lambda: began + loop.time(), wall=lambda: began_wall + loop.time(), chance=Random(1)
    )


class FakeClient:
    """An AWS client that answers from a script, and then with nothing; it keeps the requests."""

    service = "fake"

    def __init__(self, *script: Exception) -> None:
        self._script = list(script)
        self.requests: list[dict[str, Any]] = []

    async def call(self, operation: str, **parameters: Any) -> Any:
        self.requests.append({"operation": operation, **parameters})
        if self._script:
            raise self._script.pop(0)
        return {}


def a_report(number: int = 0, **more: Any) -> Report:
    """The report of a run that failed with exit code 1, of message `number`."""
    message = a_message(f"m{number}", body=f"body {number}", ApproximateReceiveCount="2")
    facts: dict[str, Any] = {
        "message": message,
        "content": not_run(message, FAILED, "").content,
        "outcome": FAILED,
        "ending": Ending(exit_code=1),
        "run": Run(id=f"r{number}", duration_s=1.5),
        "tail": "first\nlast words\n",
    }
    return Report(**{**facts, **more})


def job_fields(**changed: Any) -> dict[str, Any]:
    """The least that a job says, and what is `changed` of it."""
    return {"id": "j", "schedule": "0 0 12", **changed}
