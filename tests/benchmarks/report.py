"""Writes the figures as a page and as charts, and checks the targets."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.drawing import ground
from tests.benchmarks.findings import Findings, Scale

COLOURS = ("#1f6feb", "#8250df", "#bf8700", "#57606a", "#1a7f37", "#cf222e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure, made of others, and what it should be."""

    name: str
    at_least: float | None = None
    at_most: float | None = None
    of: tuple[str, str] | tuple[str] = ("",)  # a figure, or the ratio of two
    minus: bool = False  # their difference

    def value(self, found: Findings) -> float | None:
        """The figure; None if a part of it was not measured."""
        parts = [found.median(name) for name in self.of]
        if any(part is None for part in parts):
            return None
        first, *others = [part for part in parts if part is not None]
        if not others:
            return first
        return first - others[0] if self.minus else first / others[0]

    def verdict(self, value: float) -> str:
        wanted = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        met = value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0)
        return f"{wanted} {'met' if met else 'MISSED'}"


TARGETS = [
    Target(name="plain command, of the machine's limit", at_least=0.55,
           of=("watchbot plain 16", "limit plain 16")),
    Target(name="with a shell, of the machine's limit", at_least=0.75,
           of=("watchbot shell 16", "limit shell 16")),
    Target(name="against asyncio's subprocess and uvloop", at_least=3,
           of=("watchbot plain 16", "asyncio plain 16")),
    Target(name="against sqs-consumer", at_least=2,
           of=("watchbot plain 16", "sqs-consumer plain 16")),
    Target(name="CPU of the watcher a message, ms", at_most=0.55,
           of=("watchbot plain 16 cpu_ms",)),
    Target(name="SQS calls a message", at_most=0.25, of=("watchbot plain 16 calls",)),
    Target(name="throughput with 10 ms added to each call, of that with 0", at_least=0.85,
           of=("rate at +10 ms", "rate at +0 ms")),
    Target(name="sent to started when idle, p50, ms", at_most=8, of=("sent to started, ms",)),
    Target(name="sent to started when idle, p99, ms", at_most=30, of=("sent to started p99, ms",)),
    Target(name="RSS after the first poll, MB", at_most=60, of=("RSS after the first poll, MB",)),
    Target(name="growth of RSS over its life, MB", at_most=5,
           of=("RSS, MB, late", "RSS, MB, early"), minus=True),
    Target(name="idle CPU, %", at_most=0.3, of=("idle CPU, %",)),
    Target(name="exec to first poll, s", at_most=0.7, of=("exec to first poll, s",)),
    Target(name="memory of a sleeping worker, KB", at_most=40,
           of=("memory a sleeping worker, KB",)),
    Target(name="loop lag with many workers, p99, ms", at_most=50, of=("loop lag p99, ms",)),
    Target(name="text log, MB/s", at_least=200, of=("text log, MB/s",)),
    Target(name="structured log, MB/s", at_least=25, of=("structured log, MB/s",)),
    Target(name="memory for printing it all, MB", at_most=8, of=("text log, MB of memory",)),
    Target(name="warm lines, python, against spawn true", at_least=3,
           of=("warm lines, python", "spawn true")),
    Target(name="warm lines, python, batch 10, against spawn true", at_least=3,
           of=("warm lines, python, batch 10", "spawn true")),
    Target(name="warm lines, python, against spawn python", at_least=30,
           of=("warm lines, python", "spawn python")),
    Target(name="warm lines, python, batch 10, against spawn python", at_least=30,
           of=("warm lines, python, batch 10", "spawn python")),
    Target(name="warm lambda, batch 10, against spawn true", at_least=2,
           of=("warm lambda, batch 10", "spawn true")),
    Target(name="CPU of the watcher a message, warm lines, ms", at_most=0.30,
           of=("warm lines, python cpu_ms",)),
    Target(name="CPU of the watcher a message, warm lines, batch 10, ms", at_most=0.30,
           of=("warm lines, python, batch 10 cpu_ms",)),
    Target(name="CPU of the watcher a message, warm lambda, batch 10, ms", at_most=0.34,
           of=("warm lambda, batch 10 cpu_ms",)),
    Target(name="SQS calls a message, warm lines", at_most=0.22,
           of=("warm lines, python calls",)),
    Target(name="SQS calls a message, warm lines, batch 10", at_most=0.22,
           of=("warm lines, python, batch 10 calls",)),
    Target(name="sent to handler when idle, warm lines, p50, ms", at_most=3,
           of=("sent to handler, warm lines, ms",)),
    Target(name="sent to handler when idle, warm lambda, p50, ms", at_most=3,
           of=("sent to handler, warm lambda, ms",)),
    Target(name="memory of the watcher for 16 warm workers, MB", at_most=2,
           of=("warm lines, python rss_mb", "spawn true rss_mb"), minus=True),
    Target(name="events recorded in SQLite a second", at_least=8000,
           of=("events recorded in SQLite a second",)),
    Target(name="events recorded in PostgreSQL a second", at_least=5000,
           of=("events recorded in PostgreSQL a second",)),
    Target(name="slowest answer with 100,000 tasks, ms", at_most=100, of=("slowest answer, ms",)),
]  # fmt: skip


def verdicts(found: Findings) -> Iterator[str]:
    """A line for each target that was measured."""
    for target in TARGETS:
        if (value := target.value(found)) is not None:
            yield f"{target.name}: {_figure(value)} ({target.verdict(value)})"


def page(found: Findings) -> str:
    """docs/benchmarks.md."""
    rows = [
        f"| {target.name} | {_figure(value)} | {target.verdict(value)} |"
        for target in TARGETS
        if (value := target.value(found)) is not None
    ]
    figures = [
        f"| {name} | {_figure(found.median(name))} | {_figure(min(values))} - "
        f"{_figure(max(values))} "
        f"| {len(values)} |"
        for name, values in found.figures.items()
    ]
    return f"""# Benchmarks

Made by `make bench` on {os.cpu_count()} cores, Python {platform.python_version()}; the queue is the
tests' own SQS server in a process of its own, on the same cores. Medians; rivals took turns with
us in one run, so the ratios count, not the absolute figures.

The limit is a C program that runs the same command with `posix_spawn` and `wait`, and does nothing
else. The rivals are in `tests/benchmarks/rivals`.

![Messages per second against concurrency](benchmarks-concurrency.svg)

![Messages per second against latency](benchmarks-latency.svg)

## Targets

| figure | measured | target |
|---|---|---|
{chr(10).join(rows)}

## All figures

| figure | median | range | rounds |
|---|---|---|---|
{chr(10).join(figures)}
"""


def _figure(value: float | None) -> str:
    """Three digits that matter, and no exponent."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def charts(found: Findings, scale: Scale) -> dict[str, str]:
    """The charts, by file name."""
    names = ("watchbot plain", "limit plain", "watchbot shell", "limit shell")
    by_width = {
        name: [(width, found.median(f"{name} {width}")) for width in scale.widths] for name in names
    }
    by_latency = {
        "watchbot, concurrency 64": [
            (added, found.median(f"rate at +{added} ms")) for added in scale.latencies_ms
        ]
    }
    return {
        "benchmarks-concurrency.svg": _chart("messages a second by concurrency", by_width),
        "benchmarks-latency.svg": _chart("messages a second by ms added to each call", by_latency),
    }


Line = Sequence[tuple[float, float | None]]


def _chart(title: str, lines: Mapping[str, Line]) -> str:
    points = [(x, y) for line in lines.values() for x, y in line if y is not None]
    places = sorted({x for x, _ in points})
    top = 1.1 * max((y for _, y in points), default=1)
    step = 480 / max(len(places) - 1, 1)

    def at(x: float, y: float) -> str:
        return f"{60 + places.index(x) * step:.0f},{260 - 220 * y / top:.0f}"

    parts = [
        ground(300),
        f'<text x="60" y="24">{title}</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = 260 - 220 * share
        parts.append(f'<path d="M60 {y:.0f}H540" stroke="#d0d7de"/>')
        parts.append(f'<text x="54" y="{y + 4:.0f}" text-anchor="end">{top * share:.0f}</text>')
    for place, x in enumerate(places):
        parts.append(f'<text x="{60 + place * step:.0f}" y="280" text-anchor="middle">{x:g}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number]
        path = " ".join(at(x, y) for x, y in line if y is not None)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = 50 + 20 * number
        parts.append(f'<path d="M560 {y}h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="590" y="{y + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
