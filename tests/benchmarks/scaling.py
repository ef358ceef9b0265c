"""A day of a service, simulated: how long messages wait, and what the tasks cost.

    python -m tests.benchmarks.scaling [--write]

Our rule is not written here a second time: the alarms and steps are read from the template, and
their arithmetic is worked out as CloudWatch would. What is assumed of AWS:

- SQS counts are up to a minute old, and CloudWatch shows them a minute later.
- CloudWatch looks once a minute, and keeps calling a policy of scaling while an alarm lasts.
- A task takes 30 to 90 seconds from its request to its first receive.
- ECS stops tasks without looking at what they do, but not those under scale-in protection.
"""

import argparse
import heapq
import itertools
import math
import random
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import watchbot
from tests.benchmarks.drawing import ground

DAY_S = 86_400
MINUTE_S = 60
LAG_MINUTES = 2
START_S = (30, 90)
JOB_S = 60
VISIBILITY_S = 180  # until a message comes back whose container was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """CloudWatch's counts of one minute."""

    visible: int
    in_flight: int
    running: int


History = Sequence[Counts]  # by minute, the newest last


class Template:
    """The rule of `watchbot template`, read from the stack it makes."""

    name, protects = "watchbot", True

    def __init__(self, max_size: int, **more: Any) -> None:
        made = watchbot.template(
            {"service": "x", "image": "x", "command": "x", "max_size": max_size, **more}
        )
        found = {name: each.get("Properties", {}) for name, each in made["Resources"].items()}
        self._out, self._in = found["WatchbotBacklogAlarm"], found["WatchbotEmptyAlarm"]
        policy = found["WatchbotScaleOut"]["StepScalingPolicyConfiguration"]
        self._steps, self._cooldown_s = policy["StepAdjustments"], policy["Cooldown"]
        self._last_s, self._last_added = -math.inf, 0

    def wanted(self, now_s: float, history: History, desired: int, max_size: int) -> int:
        """How many tasks there should be from now on."""
        recent = history[-self._in["EvaluationPeriods"] :]
        if len(recent) == self._in["EvaluationPeriods"] and all(
            arithmetic(self._in, measured(counts)) <= self._in["Threshold"] for counts in recent
        ):
            return 0
        over = arithmetic(self._out, measured(history[-1])) - self._out["Threshold"]
        added = self._step(over) if over >= 0 else 0
        if now_s - self._last_s < self._cooldown_s:  # a larger step adds the difference alone
            more = max(0, added - self._last_added)
            self._last_added += more
            return min(max_size, desired + more)
        if added:
            self._last_s, self._last_added = now_s, added
        return min(max_size, desired + added)

    def _step(self, over: float) -> int:
        for step in self._steps:
            beyond = step.get("MetricIntervalUpperBound", math.inf)
            if step["MetricIntervalLowerBound"] <= over < beyond:
                return int(step["ScalingAdjustment"])
        return 0


class Before:
    """The rule of ecs-watchbot 10: a tenth every five minutes, all at once to zero."""

    name, protects = "ecs-watchbot", False

    def __init__(self, max_size: int) -> None:
        self._last_s = -math.inf
        self._tenth = max(1, math.ceil(max_size / 10))

    def wanted(self, now_s: float, history: History, desired: int, max_size: int) -> int:
        """How many tasks there should be from now on."""
        if len(history) >= 10 and not any(each.visible + each.in_flight for each in history[-10:]):
            return 0
        if history[-1].visible and now_s - self._last_s >= 300:
            self._last_s = now_s
            return min(max_size, desired + self._tenth)
        return desired


def measured(counts: Counts) -> dict[str, Any]:
    """The metrics of one minute, by their names in the alarms."""
    return {
        "visible": counts.visible,
        "in_flight": counts.in_flight,
        "reported": counts.running or None,  # where no task runs, none reports
    }


def arithmetic(alarm: Mapping[str, Any], metrics: Mapping[str, Any]) -> float:
    """The value of an alarm for one minute, by CloudWatch's functions; None: without a value."""
    known = dict(metrics)
    for each in alarm["Metrics"]:
        if "Expression" in each:
            known[each["Id"]] = _worked_out(each["Expression"], known)
    (returned,) = (each["Id"] for each in alarm["Metrics"] if each["ReturnData"])
    return float(known[returned])


def _worked_out(expression: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(expression, dict):
        text, values = expression["Fn::Sub"]
        expression = re.sub(r"\$\{(\w+)\}", lambda found: str(values[found[1]]), text)
    functions: dict[str, Callable[..., Any]] = {
        "CEIL": math.ceil,
        "IF": lambda condition, yes, no: yes if condition else no,
        "FILL": lambda value, instead: instead if value is None else value,
        "SUM": sum,
    }
    return eval(  # the text is the template's own
        expression.replace(" AND ", " and "), {"__builtins__": {}}, {**functions, **known}
    )


@dataclass(slots=True)
class Day:
    """The result of a simulated day."""

    waits_s: list[float] = field(default_factory=list)
    task_s: float = 0.0
    killed_at_work: int = 0
    backlog: list[int] = field(default_factory=list)  # by minute
    running: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Service:
    """The tasks and the queue, from second to second."""

    max_size: int
    rule: Any
    dice: random.Random
    day: Day = field(default_factory=Day)
    desired: int = 0
    starting: int = 0
    idle: int = 0
    busy: set[int] = field(default_factory=set)  # jobs, by number
    hidden: int = 0  # messages whose container was killed
    queue: deque[float] = field(default_factory=deque)
    events: list[tuple[float, int, str, float]] = field(default_factory=list)
    history: list[Counts] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def tasks(self) -> int:
        return self.starting + self.idle + len(self.busy)

    def later(self, at_s: float, what: str, of: float = 0.0) -> int:
        number = next(self.numbers)
        heapq.heappush(self.events, (at_s, number, what, of))
        return number

    def happen(self, now_s: float, number: int, what: str, of: float) -> None:
        """Handles an event and its immediate effects."""
        if what in {"sent", "back"}:
            self.queue.append(of)
            self.hidden -= what == "back"
        elif what == "started":
            self.starting -= 1
            self.idle += 1
        elif what == "minute":
            self.count(now_s)
        elif number in self.busy:  # it is done
            self.busy.discard(number)
            self.idle += 1
        self.work(now_s)
        if what == "done":
            self.scale(now_s)

    def work(self, now_s: float) -> None:
        """Idle tasks take what waits."""
        while self.idle and self.queue:
            self.idle -= 1
            self.day.waits_s.append(now_s - self.queue.popleft())
            job_s = self.dice.lognormvariate(math.log(JOB_S), 0.5)
            self.busy.add(self.later(now_s + job_s, "done", now_s))

    def scale(self, now_s: float) -> None:
        """Starts and stops tasks, until there are as many as wanted, or none may be stopped."""
        while self.tasks < self.desired:
            self.starting += 1
            self.later(now_s + self.dice.uniform(*START_S), "started")
        while self.tasks > self.desired and self._stop_one(now_s):
            pass

    def _stop_one(self, now_s: float) -> bool:
        at_work = len(self.busy)
        if not self.rule.protects and self.dice.random() * self.tasks < at_work:
            self.busy.discard(self.dice.choice(sorted(self.busy)))
            self.day.killed_at_work += 1
            self.hidden += 1
            self.later(now_s + VISIBILITY_S, "back", now_s)
            return True
        if self.idle:
            self.idle -= 1
            return True
        return False

    def count(self, now_s: float) -> None:
        """A minute is over: it is counted, and the rule asked about one that is known by now."""
        running = self.idle + len(self.busy)
        self.history.append(
            Counts(visible=len(self.queue), in_flight=len(self.busy) + self.hidden, running=running)
        )
        self.day.backlog.append(len(self.queue))
        self.day.running.append(running)
        self.day.task_s += MINUTE_S * self.tasks
        known = self.history[:-LAG_MINUTES]
        if known:
            self.desired = self.rule.wanted(now_s, known[-10:], self.desired, self.max_size)
            self.scale(now_s)


def simulate(rule: Any, max_size: int, sent_s: Sequence[float], *, until_s: float = DAY_S) -> Day:
    """Simulates messages that are sent at these times."""
    service = _Service(max_size=max_size, rule=rule, dice=random.Random(1))
    for at_s in sent_s:
        service.later(at_s, "sent", at_s)
    for minute in range(1, int(until_s / MINUTE_S) + 1):
        service.later(minute * MINUTE_S, "minute")
    while service.events:
        now_s, number, what, of = heapq.heappop(service.events)
        service.happen(now_s, number, what, of)
    return service.day


def bursts(max_size: int, *, until_s: float = DAY_S) -> list[float]:
    """Times of messages: a trickle, and now and then much at once; the last hour is quiet."""
    dice = random.Random(2)
    quiet_s = until_s - 3600
    trickle = [dice.uniform(0, quiet_s) for _ in range(int(until_s / DAY_S * 100))]
    heaps: list[float] = []
    for _ in range(int(until_s / DAY_S * 12)):
        at_s, spread_s = dice.uniform(0, quiet_s - 600), dice.choice((5, 60, 600))
        size = int(max_size * dice.choice((0.2, 1, 5, 20)))
        heaps += [at_s + dice.uniform(0, spread_s) for _ in range(size)]
    return sorted(trickle + heaps)


def compare(max_size: int) -> dict[str, Day]:
    """A day under each rule."""
    sent_s = bursts(max_size)
    return {
        rule.name: simulate(rule, max_size, sent_s)
        for rule in (Template(max_size), Before(max_size))
    }


def table(days: Mapping[int, Mapping[str, Day]]) -> str:
    """The comparison, as Markdown."""
    rows = [
        "| containers | rule | messages | wait, median | wait, 95 % | container hours "
        "| killed at work |\n|---|---|---|---|---|---|---|\n"
    ]
    for max_size, rules in days.items():
        for name, day in rules.items():
            waits = sorted(day.waits_s)
            half, most = (waits[int(len(waits) * share)] / 60 for share in (0.5, 0.95))
            rows.append(
                f"| {max_size} | {name} | {len(waits)} | {half:.1f} min | {most:.1f} min "
                f"| {day.task_s / 3600:.0f} | {day.killed_at_work} |\n"
            )
    return "".join(rows)


COLOURS = {"watchbot": "#1f6feb", "ecs-watchbot": "#cf222e"}


def chart(rules: Mapping[str, Day]) -> str:
    """Two pictures, one above the other: what waits, and what runs, over the day."""
    parts = [
        ground(420),
        *_panel("messages waiting", {name: day.backlog for name, day in rules.items()}, 30),
        *_panel("containers running", {name: day.running for name, day in rules.items()}, 230),
    ]
    for place, (name, colour) in enumerate(COLOURS.items()):
        x = 420 + 150 * place
        parts.append(f'<path d="M{x} 16h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 30}" y="20">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, lines: Mapping[str, Sequence[int]], top: int) -> Iterator[str]:
    most = max(max(line) for line in lines.values()) or 1
    yield f'<text x="60" y="{top - 8}">{title}</text>'
    for share in (0, 0.5, 1):
        y = top + 150 * (1 - share)
        yield f'<path d="M60 {y:.0f}H740" stroke="#d0d7de"/>'
        yield f'<text x="54" y="{y + 4:.0f}" text-anchor="end">{most * share:.0f}</text>'
    for hour in range(0, 25, 4):
        x = 60 + 680 * hour / 24
        yield f'<text x="{x:.0f}" y="{top + 168}" text-anchor="middle">{hour} h</text>'
    for name, line in lines.items():
        step = 680 / max(len(line) - 1, 1)
        path = " ".join(
            f"{60 + step * minute:.1f},{top + 150 * (1 - value / most):.1f}"
            for minute, value in enumerate(line)
        )
        yield (
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"/>'
        )


DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Prints the comparison; with `--write`, the chart goes into docs/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="the chart, into docs/")
    write = parser.parse_args().write
    days = {max_size: compare(max_size) for max_size in (1, 10, 100, 1000, 5000)}
    sys.stdout.write(table(days))
    if write:
        (DOCS / "scaling.svg").write_text(chart(days[100]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
