"""The watcher's simulation: its parts, and how a history of it is made smaller."""

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.playing import Simulation
from tests.simulation.watcher.history import History, Planned, Sent, history_of
from tests.simulation.watcher.play import play
from tests.simulation.watcher.promised import LAWS

PLAIN = {
    **{"exit_when_empty": False, "writable_filesystem": False, "notify": False, "breaker": 0},
    **{"planned": False, "rate": None, "queue_order": "weighted"},
}
PLAIN |= {"no_protection": True, "max_attempts": 0, "max_job_duration": 0, "concurrency": 1}


def smaller(history: History) -> Iterator[History]:
    """Yields histories with less in them: messages, events, faults, watchers, options, time."""
    yield from _fewer(history)
    yield from _plainer(history)
    yield from _quicker(history)


def _fewer(history: History) -> Iterator[History]:
    for event in history.events:
        yield replace(history, events=tuple(each for each in history.events if each != event))
    for part in _halves(history.messages):
        yield replace(history, messages=part)
    for message in history.messages:
        rest = tuple(each for each in history.messages if each != message)
        yield replace(history, messages=rest)
    if history.watchers - 1 > max((event.watcher for event in history.events), default=0):
        yield replace(history, watchers=history.watchers - 1)


def _plainer(history: History) -> Iterator[History]:
    for name in history.faults:
        faults = {each: value for each, value in history.faults.items() if each != name}
        yield replace(history, faults=faults)
    for name, value in PLAIN.items():
        if history.options.get(name, value) != value:  # kept histories may lack it
            yield replace(history, options={**history.options, name: value})
    if history.batch_size > 1:
        yield replace(history, batch_size=1)
    if history.most_receives:
        yield replace(history, most_receives=0)


def _quicker(history: History) -> Iterator[History]:
    moments = [event.at for event in history.events] + [sent.at for sent in history.messages]
    last = max(moments, default=0)
    if history.seconds > last + 10:
        yield replace(history, seconds=last + 10)
    for place, message in enumerate(history.messages):
        for less in _simpler(message):
            messages = (*history.messages[:place], less, *history.messages[place + 1 :])
            yield replace(history, messages=messages)
    for place, event in enumerate(history.events):
        if event.seconds > 1:
            less_event = replace(event, seconds=round(event.seconds / 2, 1))
            events = (*history.events[:place], less_event, *history.events[place + 1 :])
            yield replace(history, events=events)


def _simpler(message: Sent) -> Iterator[Sent]:
    if message.at:
        yield replace(message, at=0)
    if message.runs:
        yield replace(message, runs=message.runs[:-1])
    for place, planned in enumerate(message.runs):
        for less in (replace(planned, stubborn=False), replace(planned, code=0), _brief(planned)):
            if less != planned:
                runs = (*message.runs[:place], less, *message.runs[place + 1 :])
                yield replace(message, runs=runs)


def _brief(planned: Planned) -> Planned:
    return replace(planned, lasts=1) if planned.lasts > 1 else planned


def _halves(messages: tuple[Sent, ...]) -> Iterator[tuple[Sent, ...]]:
    if len(messages) > 3:
        middle = len(messages) // 2
        yield messages[:middle]
        yield messages[middle:]


SIMULATION: Simulation[History] = Simulation(
    name="watcher",
    laws=LAWS,
    of_seed=history_of,
    of_text=History.of_text,
    play=play,
    smaller=smaller,
)
