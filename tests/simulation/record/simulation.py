"""The record's simulation: its parts, and how a history of it is made smaller."""

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.playing import Simulation
from tests.simulation.record.history import History, history_of
from tests.simulation.record.laws import LAWS
from tests.simulation.record.play import play


def smaller(history: History) -> Iterator[History]:
    """Yields histories with less in them: a deed, a message, a fault or a recorder."""
    for deed in history.deeds:
        yield replace(history, deeds=tuple(each for each in history.deeds if each != deed))
    for place in range(len(history.messages)):
        messages = history.messages[:place] + history.messages[place + 1 :]
        yield replace(history, messages=messages)
    for name in history.faults:
        faults = {each: value for each, value in history.faults.items() if each != name}
        yield replace(history, faults=faults)
    if history.recorders - 1 > max((deed.recorder for deed in history.deeds), default=0):
        yield replace(history, recorders=history.recorders - 1)
    if history.concurrency > 1:
        yield replace(history, concurrency=1)


SIMULATION: Simulation[History] = Simulation(
    name="record",
    laws=LAWS,
    of_seed=history_of,
    of_text=History.of_text,
    play=play,
    smaller=smaller,
)
