"""Looks for a leak: the memory of workers that stay, early and late in many runs."""

from watchbot.chaos.bodies import Subject
from watchbot.chaos.round import Round, Tools
from watchbot.lifecycle import Stop
from watchbot.listen.warm.resident import resident_bytes

EARLY = 10  # a tenth of the runs: by then a worker has loaded what it needs


async def memory_of(
    tools: Tools, stop: Stop, subject: Subject, runs: int
) -> tuple[int, int] | None:
    """What all workers hold after a tenth of the runs, and after all; None after a stop."""
    repeated = Round(tools, stop)
    await repeated.repeat(subject, runs // EARLY)
    early = _held(tools)
    await repeated.repeat(subject, runs - runs // EARLY)
    return None if stop.draining.is_set() else (early, _held(tools))


def _held(tools: Tools) -> int:
    return sum(resident_bytes(process) for process in tools.ends.at_work)
