"""The scheduler's simulation: its parts, and how a history of it is made smaller."""

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.playing import Simulation
from tests.simulation.schedule.history import History, history_of
from tests.simulation.schedule.laws import LAWS
from tests.simulation.schedule.play import play


def smaller(history: History) -> Iterator[History]:
    """Yields histories with less in them: an event, a fault, a replica or a job."""
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


SIMULATION: Simulation[History] = Simulation(
    name="schedule",
    laws=LAWS,
    of_seed=history_of,
    of_text=History.of_text,
    play=play,
    smaller=smaller,
)
