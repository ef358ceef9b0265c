"""Decides by chance, from a seed, what happens to the runs of each message."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from watchbot.chaos.bodies import Subject

Fault = Literal["twice", "at once", "terminated", "killed", "late"]
FAULTS: dict[Fault, str] = {
    "twice": "delivered again after they were done",
    "at once": "delivered again while they ran, as after a lease that expired",
    "terminated": "got SIGTERM in mid-run, as in a deployment or a spot interruption",
    "killed": "got SIGKILL in mid-run, as when the machine dies or memory runs out",
    "late": "delivered last, out of their order",
}


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What happens to one message: the fault, at this share of its run's usual duration."""

    subject: Subject
    fault: Fault | None
    at: float = 0.0


def plans(subjects: Sequence[Subject], chance: Random) -> list[Ordeal]:
    """A plan for each message, in the order of their first deliveries.

    Faults take turns, so that few messages meet all of them. Odd messages meet none.
    """
    plain = [subject for subject in subjects if subject.odd is None]
    chance.shuffle(plain)
    turns = [*FAULTS]
    chance.shuffle(turns)
    planned = [
        Ordeal(subject, turns[index % len(turns)], chance.uniform(0.02, 0.98))
        for index, subject in enumerate(plain)
    ]
    planned += [Ordeal(subject, None) for subject in subjects if subject.odd is not None]
    return sorted(planned, key=lambda each: each.fault == "late")
