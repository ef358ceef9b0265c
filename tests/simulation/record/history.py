"""A history: events of ECS on their way, what is done to recorders, and how the world fails."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

DEFINITION = "arn:aws:ecs:us-east-1:123456789012:task-definition/f:1"
ESSENTIAL = {"main": True, "side": False}
POISON = "what no database stores"
DATABASE_FAULTS = ("broken", "torn", "refused", "unanswered", "stuck")
DEEDS = ("kill", "kill", "drain", "database_away", "queue_away", "learn")
QUEUE_FAULTS = ("error", "lost", "twice", "partial", "slow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message: a state of a task (its version), another event, or what cannot be stored.

    `what` is task, other, junk (it cannot be read) or poison (the database refuses it). `stopped`
    names the containers, by their first letters, that have stopped. A version of 0 is a notice of
    Spot, which says none.
    """

    at: float
    what: str
    name: str
    version: int = 0
    ended: bool = False
    stopped: str = ""
    containers: int = 1

    @property
    def key(self) -> str:
        """What is stored once, however often it is sent."""
        return f"{self.name} v{self.version}" if self.what == "task" else self.name

    def body(self) -> str:
        """The message's body."""
        if self.what == "junk":
            return f"{{{self.name}"
        if self.what == "other":
            return json.dumps(_event(self.name, "ECS Service Action", {"name": self.name}))
        detail: dict[str, Any] = {
            "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/c/{self.name}",
            "taskDefinitionArn": DEFINITION,
            "lastStatus": "STOPPED" if self.ended else "RUNNING",
            "containers": [self._container(name) for name in ("main", "side")[: self.containers]],
        }
        if self.version:
            detail["version"] = self.version
        if self.ended:
            detail |= {"stopCode": "EssentialContainerExited", "stoppedAt": "2026-11-21T12:01:00Z"}
        if self.what == "poison":
            detail["startedBy"] = POISON
        return json.dumps(_event(self.key, "ECS Task State Change", detail))

    def _container(self, name: str) -> dict[str, Any]:
        if name[0] not in self.stopped:
            return {"name": name, "lastStatus": "RUNNING"}
        return {"name": name, "lastStatus": "STOPPED", "exitCode": 0 if name == "main" else 3}


def _event(event_id: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    facts = {"id": event_id, "detail-type": kind, "time": "2026-11-21T12:00:00Z"}
    return {**facts, "detail": detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is done at a moment, to a recorder or to the world, for some seconds."""

    at: float
    what: str
    recorder: int = 0
    seconds: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that a seed makes; the same history plays the same every time.

    `faults` is how often each happens, from 0 to 1.
    """

    seed: int
    seconds: float
    recorders: int
    concurrency: int
    batch: int
    visibility_s: int
    messages: tuple[Sent, ...]
    deeds: tuple[Deed, ...] = ()
    faults: dict[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """As JSON, one message or deed a line."""
        facts = asdict(self)
        lists = {name: facts.pop(name) for name in ("messages", "deeds")}
        texts = [
            f'"{name}": [\n  ' + ",\n  ".join(json.dumps(_set(each)) for each in found) + "\n]"
            for name, found in lists.items()
        ]
        return json.dumps(facts)[:-1] + ", " + ", ".join(texts) + "}\n"

    @classmethod
    def of_text(cls, text: str) -> "History":
        """The history that `to_text` wrote."""
        facts = json.loads(text)
        messages = tuple(Sent(**each) for each in facts.pop("messages"))
        deeds = tuple(Deed(**each) for each in facts.pop("deeds"))
        return cls(messages=messages, deeds=deeds, **facts)


def history_of(seed: int) -> History:
    """The history of a seed."""
    chance = Random(seed)
    seconds = chance.choice((10, 30, 90))
    well = chance.random() < 0.3  # the queue: what a lone recorder leaves in it can be told then
    recorders = 1 if well else chance.choice((1, 1, 2, 3))
    messages = [sent for number in range(chance.randint(1, 4)) for sent in _task(chance, number)]
    messages += _others(chance)
    sent = [_moved(chance, message, seconds) for message in messages]
    done = ("drain", "database_away", "learn") if well else DEEDS
    deeds = [
        _deed(chance, chance.choice(done), seconds, recorders)
        for _ in range(chance.choice((0, 1, 2, 4)))
    ]
    faults = DATABASE_FAULTS if well else (*DATABASE_FAULTS, *QUEUE_FAULTS)
    often = {name: _often(chance) for name in faults}
    return History(
        seed=seed,
        seconds=seconds,
        recorders=recorders,
        concurrency=chance.choice((1, 2, 4)),
        batch=chance.choice((1, 2, 5, 100)),
        visibility_s=chance.choice((6, 30, 180)),
        messages=tuple(sorted(sent, key=lambda message: message.at)),
        deeds=tuple(sorted(deeds, key=lambda deed: deed.at)),
        faults={name: value for name, value in often.items() if value},
    )


def _task(chance: Random, number: int) -> Iterator[Sent]:
    """The states of one task, in order; some are sent more than once."""
    containers, versions = chance.choice((1, 2)), chance.randint(1, 6)
    ends = chance.random() < 0.7
    stops = {name: chance.randint(1, versions) for name in "ms"[:containers]}
    if chance.random() < 0.1:
        yield Sent(at=0, what="task", name=f"t{number}", containers=containers)
    for version in range(1, versions + 1):
        ended = ends and version == versions
        stopped = "".join(name for name, at in stops.items() if ended or (ends and version >= at))
        for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
            yield Sent(
                at=0,
                what="task",
                name=f"t{number}",
                version=version,
                ended=ended,
                stopped=stopped,
                containers=containers,
            )


def _others(chance: Random) -> Iterator[Sent]:
    for number in range(chance.choice((0, 1, 3))):
        for _ in range(chance.choice((1, 2))):
            yield Sent(at=0, what="other", name=f"o{number}")
    for what in ("junk", "poison"):
        for number in range(chance.choice((0, 0, 1, 2))):
            yield Sent(at=0, what=what, name=f"{what}{number}", version=1)


def _moved(chance: Random, message: Sent, seconds: float) -> Sent:
    facts = asdict(message) | {"at": round(chance.uniform(0, seconds), chance.choice((0, 2)))}
    return Sent(**facts)


def _deed(chance: Random, what: str, seconds: float, recorders: int) -> Deed:
    return Deed(
        at=round(chance.uniform(0, seconds), 2),
        what=what,
        recorder=chance.randrange(recorders) if what in {"kill", "drain"} else 0,
        seconds=0 if what == "learn" else round(chance.uniform(0.5, 40), 2),
    )


def _often(chance: Random) -> float:
    return 0 if chance.random() < 0.65 else round(chance.uniform(0, 0.3), 2)


def _set(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value or name == "at"}
