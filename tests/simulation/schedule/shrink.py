"""Makes a history that breaks a law smaller, for as long as it still breaks the same one."""

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.schedule.history import History
from tests.simulation.schedule.play import Played, play


def shrunk(history: History) -> History:
    """The smallest history that was found by leaving out an event, a fault, a replica or a job."""
    law = _law(play(history))
    smaller: History | None = history if law else None
    while smaller:
        history = smaller
        smaller = next((each for each in _smaller(history) if _law(play(each)) == law), None)
    return history


def report(history: History) -> str:
    """What happened, which law broke, and how to see it again."""
    played = play(history)
    again = "python -m tests.simulation.schedule --replay FILE, where FILE has the history below"
    lines = [*played.lines, str(played.broken), f"replay: {again}", history.to_text()]
    return "\n".join(lines)


def _smaller(history: History) -> Iterator[History]:
    for index in range(len(history.events)):
        events = history.events[:index] + history.events[index + 1 :]
        yield replace(history, events=events)
    for name in history.faults:
        faults = {each: value for each, value in history.faults.items() if each != name}
        yield replace(history, faults=faults)
    busy = {event.number for event in history.events if event.what in {"kill", "drain"}}
    if history.replicas - 1 > max(busy, default=0):
        yield replace(history, replicas=history.replicas - 1)
    named = {event.job for event in history.events}
    for job in history.jobs:
        if len(history.jobs) > 1 and job.id not in named:
            yield replace(history, jobs=tuple(each for each in history.jobs if each != job))


def _law(played: Played) -> str:
    return str(played.broken or "").partition(":")[0]
