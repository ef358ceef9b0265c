"""A history: messages, what their workers do, what happens to watchers, how often calls fail."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

FAULTS = (
    *("error", "lost", "slow", "throttled", "partial", "twice", "reordered"),
    *("topic", "letters", "agent", "start"),
)
WAYS = ("twice", "garbage", "torn", "hangup", "skip", "hang")
OF_THE_QUEUE = frozenset(FAULTS[:7])


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One run of a message: how long it takes, and how it ends.

    `code` is the exit code; -9 stands for an end by SIGKILL, and 127 for one that does not start.
    A `stubborn` one does not end at SIGTERM. `how` is what a process does that is handed messages,
    where it does not just answer with `code`: one of `WAYS`.
    """

    lasts: float
    code: int = 0
    stubborn: bool = False
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message: when it is sent, and its runs. Those after the last of them complete at once."""

    name: str
    at: float = 0
    group: str = ""
    queue: int = 0
    runs: tuple[Planned, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is done at a moment to a watcher, to the queue, or to the machine."""

    at: float = 0
    what: str
    watcher: int = 0
    queue: int = 0
    seconds: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that a seed makes; the same history plays the same every time.

    `faults` is how often each happens, from 0 to 1. `options` are those of `watchbot listen`.
    """

    seed: int
    seconds: float
    watchers: int
    fifo: bool = False
    batch_size: int = 1
    bare: bool = False  # the command of a batch answers by its exit code alone
    most_receives: int = 0  # of each queue's redrive policy; 0: it has none
    weights: tuple[int, ...] = (1,)  # of the queues
    options: Mapping[str, Any]
    messages: tuple[Sent, ...]
    events: tuple[Event, ...] = ()
    faults: Mapping[str, float] = field(default_factory=dict)

    @property
    def receive(self) -> int:
        """The most messages that a watcher may ask the queue for at once."""
        if not self.fifo:
            return 10
        return 1 if self.options["writable_filesystem"] else self.batch_size

    @property
    def calm(self) -> bool:
        """Whether nothing excuses a lost lease: the queue answers, and no watcher stands still."""
        return not OF_THE_QUEUE & self.faults.keys() and self.has_only(
            "terminate", "terminate_twice", "kill", "set_clock", "no_room", "pause"
        )

    @property
    def gentle(self) -> bool:
        """Whether nothing excuses a second run: it is calm, and watchers only get SIGTERM."""
        return self.calm and not any(event.what == "kill" for event in self.events)

    def has_only(self, *deeds: str) -> bool:
        """Whether nothing else happens."""
        return all(event.what in deeds for event in self.events)

    def to_text(self) -> str:
        """As JSON, one message or event a line."""
        facts = asdict(self)
        events = ",\n  ".join(json.dumps(_set(event)) for event in facts.pop("events"))
        messages = ",\n  ".join(json.dumps(_set(message)) for message in facts.pop("messages"))
        lists = f'"messages": [\n  {messages}\n], "events": [\n  {events}\n]'
        return f"{json.dumps(facts)[:-1]}, {lists}}}\n"

    @classmethod
    def of_text(cls, text: str) -> "History":
        """The history that `to_text` wrote."""
        facts = json.loads(text)
        messages = tuple(_sent(each) for each in facts.pop("messages"))
        events = tuple(Event(**each) for each in facts.pop("events"))
        facts["weights"] = tuple(facts.get("weights", (1,)))  # kept histories may lack it
        return cls(messages=messages, events=events, **facts)


def history_of(seed: int) -> History:
    """The history of a seed."""
    chance = Random(seed)
    seconds = chance.choice((5, 15, 40))
    fifo, gentle = chance.random() < 0.4, chance.random() < 0.4
    options = {**_options(chance), "planned": seed % 4 == 0}
    if long := chance.random() < 0.002:  # some run for hours, in which nobody asks every second
        options["poll_wait"] = 20
    broken = chance.random() < 0.08  # the command fails for every message, until it is mended
    watchers = chance.choice((1, 1, 1, 2, 3))
    deeds = _GENTLE if gentle else _DEEDS
    events = [_event(chance, seconds, watchers, deeds) for _ in range(chance.choice(_EVENTS))]
    names = FAULTS[len(OF_THE_QUEUE) :] if gentle else FAULTS
    often = {name: _often(chance, name) for name in names}
    batch_size = chance.choice((1, 1, 1, 2, 5))
    messages = tuple(
        _message(chance, number, seconds, options, fifo=fifo, long=long, broken=broken)
        for number in range(chance.choice((1, 2, 3, 4, 6, 12)))
    )
    options |= _of_workers(chance, batch_size, fifo=fifo)
    history = History(
        seed=seed,
        seconds=seconds,
        watchers=watchers,
        fifo=fifo,
        batch_size=batch_size,
        bare=chance.random() < 0.2,
        most_receives=chance.choice((0, 0, 3, 20)),
        options=options,
        messages=messages,
        events=tuple(sorted(events, key=lambda event: event.at)),
        faults={name: value for name, value in often.items() if value},
    )
    return _with_queues(history) if chance.random() < 0.3 else history


def _with_queues(history: History) -> History:
    """The history with several queues or one, a rate or none, pauses, and sometimes a backlog."""
    chance = Random(f"{history.seed} queues")
    weights = tuple(chance.choice((1, 1, 2, 3)) for _ in range(chance.choice((1, 2, 2, 3))))
    messages = history.messages
    if chance.random() < 0.4:
        brief = (Planned(lasts=0.2),)
        more = (f"b{number}" for number in range(40))
        messages += tuple(Sent(name=name, group=messages[0].group, runs=brief) for name in more)
    pauses = [
        _pause(chance, history.seconds, len(weights)) for _ in range(chance.choice((0, 0, 1, 2)))
    ]
    drawn = {
        "queue_order": chance.choice(("weighted", "weighted", "strict")),
        "rate": chance.choice((None, None, "2/s", "30/m")),
        "looks": bool(pauses),
    }
    return replace(
        history,
        weights=weights,
        messages=tuple(
            replace(_within_an_hour(each), queue=chance.randrange(len(weights)))
            for each in messages
        ),
        events=tuple(sorted((*history.events, *pauses), key=lambda event: event.at)),
        options={**history.options, **drawn},
    )


def _pause(chance: Random, seconds: float, queues: int) -> Event:
    at = round(chance.choice((0, 1)) * chance.uniform(0, seconds), 2)
    lasts = round(chance.choice((5, 30, 90)) * chance.random(), 2)
    return Event(at=at, what="pause", queue=chance.randrange(queues), seconds=lasts)


def _options(chance: Random) -> dict[str, Any]:
    drawn = {
        "concurrency": chance.choice((1, 2, 3, 5)),
        "visibility_timeout": chance.choice((5, 30, 180)),
        "max_backoff": chance.choice((0, 5, 60)),
        "poll_wait": chance.choice((0, 2, 5, 20, 20, 20)),
        "breaker": chance.choice((0, 0, 2, 5)),
        "on_lost_lease": chance.choice(("continue", "kill")),
        "max_job_duration": chance.choice((0, 0, 20)),
        "kill_grace": chance.choice((0, 2, 10)),
        "drain_timeout": chance.choice((0, 5, 25)),
        "max_attempts": chance.choice((0, 0, 1, 3)),
        "give_up_after": chance.choice((0, 300)),
        "exit_when_empty": chance.random() < 0.15,
        "writable_filesystem": chance.random() < 0.05,
        "no_protection": chance.random() < 0.6,
        "notify": chance.random() < 0.5,
    }
    drawn["exit_wait"] = chance.choice((0, 10, 900))
    return drawn


def _message(
    chance: Random, number: int, seconds: int, options: Mapping[str, Any], **kind: bool
) -> Sent:
    visible_s = options["visibility_timeout"]
    lasts = (0.001, 0.05, 1, 8, 40, visible_s * 2.5)
    codes = (1,) if kind["broken"] else (0,) * 6 + (1, 1, 3, 4, -9, 127)
    runs = tuple(
        Planned(
            lasts=_beside(options, round(chance.choice(lasts) * chance.random(), 3)),
            code=chance.choice(codes),
            stubborn=chance.random() < 0.1,
            how=_way(chance, options),
        )
        for _ in range(chance.choice((1, 1, 1, 2, 4)))
    )
    if kind["long"] and number == 0:
        runs = (Planned(lasts=chance.choice((1, 3, 13)) * 3600),)
    return Sent(
        name=f"m{number}",
        at=round(chance.choice((0, 0, 0, 0.7)) * chance.random() * seconds, 2),
        group=chance.choice("ghi") if kind["fifo"] else "",
        runs=runs,
    )


def _beside(options: Mapping[str, Any], lasts: float) -> float:
    """The length of a run that does not end at its very deadline, where both may be told."""
    return lasts + 0.001 if lasts == options["max_job_duration"] else lasts


def _within_an_hour(message: Sent) -> Sent:
    """The message with no longer runs: several queues may get a poll a second, which are steps."""
    runs = tuple(replace(run, lasts=min(run.lasts, 3600)) for run in message.runs)
    return replace(message, runs=runs)


def _of_workers(chance: Random, batch_size: int, *, fifo: bool) -> dict[str, Any]:
    warm = chance.choice(("off", "off", "lines", "lambda"))
    drawn = {
        "warm": warm,
        "batch_window": chance.choice((0, 0, 3, 20)),
        "recycle_after": chance.choice((0, 0, 1, 3)),
        "max_event": chance.choice((6_000_000, 1_024)),
        "start_timeout": chance.choice((5, 60)),
    }
    if fifo or batch_size == 1:
        drawn["batch_window"] = 0
    return drawn


def _way(chance: Random, options: Mapping[str, Any]) -> str:
    """What a process does with a message. It hangs only where something ends it within hours."""
    if chance.random() < 0.85:
        return ""
    return chance.choice(WAYS if options["max_job_duration"] else WAYS[:4])


_EVENTS = (0, 1, 1, 2, 3, 6)
_GENTLE = ("terminate", "terminate", "terminate", "terminate_twice", "set_clock", "no_room")
_DEEDS = (
    *("terminate", "terminate_twice", "set_clock", "no_room"),
    *("kill", "kill", "freeze", "freeze", "away", "away"),
    *("deny_delete", "deny_hide", "deny_receive", "delete_queue"),
)


def _event(chance: Random, seconds: int, watchers: int, deeds: tuple[str, ...]) -> Event:
    what = chance.choice(deeds)
    if what == "delete_queue" and chance.random() < 0.8:
        what = "away"
    return Event(
        at=round(chance.uniform(0.05, seconds * 1.2), 2),
        what=what,
        watcher=chance.randrange(watchers),
        seconds=round(chance.choice((0.5, 4, 20, 60)) * chance.random(), 2),
    )


def _often(chance: Random, name: str) -> float:
    if chance.random() < 0.7:
        return 0
    return round(chance.uniform(0, 0.05 if name == "lost" else 0.3), 2)


def _sent(facts: dict[str, Any]) -> Sent:
    runs = tuple(Planned(**each) for each in facts.pop("runs", ()))
    return Sent(**facts, runs=runs)


def _set(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}
