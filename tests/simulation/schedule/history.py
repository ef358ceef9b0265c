"""A history: jobs, what people and machines do to them, and how often the world fails."""

import json
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

OVERLAPS = ("skip", "buffer_one", "top_up", "allow", "replace")
FAULTS = ("throttled", "lost", "late", "unlisted", "slow", "uncommitted", "unanswered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A job that fires at an interval."""

    id: str
    overlap: str
    every: int
    tasks: int = 1
    misfire: str = "last"
    lasts: float = 5  # seconds that its tasks run, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event at a moment: of a job, a replica, the database or ECS."""

    at: float
    what: str
    job: str = ""
    number: int = 0
    seconds: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that a seed makes; the same history plays the same every time.

    `faults` is how often each happens, from 0 to 1; of `slow` and `unlisted` the seconds.
    """

    seed: int
    seconds: float
    replicas: int
    jobs: tuple[Planned, ...]
    events: tuple[Event, ...]
    faults: dict[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """As JSON, one event a line."""
        facts = asdict(self)
        events = ",\n  ".join(json.dumps(_set(event)) for event in facts.pop("events"))
        return json.dumps(facts)[:-1] + f', "events": [\n  {events}\n]}}\n'

    @classmethod
    def of_text(cls, text: str) -> "History":
        """The history that `to_text` wrote."""
        facts = json.loads(text)
        jobs = tuple(Planned(**each) for each in facts.pop("jobs"))
        events = tuple(Event(**each) for each in facts.pop("events"))
        return cls(jobs=jobs, events=events, **facts)


def history_of(seed: int) -> History:
    """The history of a seed."""
    chance = Random(seed)
    seconds = chance.choice((6, 10, 10, 20))
    jobs = tuple(_job(chance, name) for name in "ab"[: chance.choice((1, 1, 2))])
    replicas = chance.choice((1, 1, 2, 2, 3))
    events = [_event(chance, seconds, jobs, replicas) for _ in range(chance.randint(1, 8))]
    often = {name: _often(chance, name) for name in FAULTS}
    return History(
        seed=seed,
        seconds=seconds,
        replicas=replicas,
        jobs=jobs,
        events=tuple(sorted(events, key=lambda event: event.at)),
        faults={name: value for name, value in often.items() if value},
    )


def _job(chance: Random, name: str) -> Planned:
    return Planned(
        id=name,
        overlap=chance.choice(OVERLAPS),
        every=chance.choice((2, 3, 5)),
        tasks=chance.choice((1, 1, 2, 12)),
        misfire=chance.choice(("last", "all", "skip")),
        lasts=chance.choice((1, 4, 8)),
    )


_DEEDS = (
    *("run",) * 4,
    *("pause", "resume") * 2,
    *("edit",) * 3,
    *("delete", "make") * 2,
    *("backfill",) * 3,
    *("cancel_backfill", "cancel_run"),
    *("kill",) * 3,
    *("drain", "database_away", "ecs_away", "full", "set_back"),
)


def _event(chance: Random, seconds: int, jobs: tuple[Planned, ...], replicas: int) -> Event:
    what = chance.choice(_DEEDS)
    of_replica = what in {"kill", "drain"}
    return Event(
        at=round(chance.uniform(0.2, seconds), 2),
        what=what,
        job=chance.choice(jobs).id,
        number=chance.randrange(replicas) if of_replica else chance.randint(0, 3),
        seconds=round(chance.uniform(0.5, 8), 2),
    )


def _often(chance: Random, name: str) -> float:
    if chance.random() < 0.6:
        return 0
    most = {"slow": 1.5, "unlisted": 10}.get(name, 0.3)
    return round(chance.uniform(0, most), 2)


def _set(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value}
