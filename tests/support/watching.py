"""A watcher as tests build it: real, but for what runs the command and where messages come from."""

from collections.abc import Sequence
from typing import Any

from watchbot.listen.breaker import Breaker
from watchbot.listen.machine import Machine
from watchbot.listen.observers import Observer
from watchbot.listen.runner import Runner
from watchbot.listen.watcher import Parts, Watcher
from watchbot.settings.listen import WatcherSettings
from watchbot.sqs.queue import Queue
from watchbot.sqs.valve import Valve
from watchbot.world import REAL


def nothing() -> None:
    """Finds that a machine has all that a worker needs."""


def a_watcher(
    settings: WatcherSettings,
    queue: Queue,
    runner: Runner,
    observers: Sequence[Observer] = (),
    **more: Any,
) -> Watcher:
    """A watcher of `queue` that has `runner` run what comes.

    `more` are further parts, `batch_size`, and the `world` whose clock it goes by.
    """
    batch_size = more.pop("batch_size", 1)
    valve = Valve(more.pop("world", REAL))
    breaker = Breaker(settings.breaker, valve)
    parts = Parts(
        queue=queue,
        runner=runner,
        machine=Machine(nothing, valve),
        valve=valve,
        breaker=breaker,
        observers=[breaker, *observers],
        **more,
    )
    return Watcher(settings, parts, batch_size=batch_size)
