"""Defines what the measurements find, and how much of everything they take."""

import statistics
from dataclasses import dataclass, field

from tests.benchmarks.bench import Run


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: `--quick` for a look, else for the record."""

    rounds: int = 5
    messages: int = 4000
    rival_messages: int = 1500
    widths: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    latencies_ms: tuple[int, ...] = (0, 5, 10, 20)
    singles: int = 200
    lifetime: int = 100_000
    sleepers: int = 1000
    printed_mb: int = 1000
    recorded: int = 4000
    answered: int = 100_000


QUICK = Scale(
    rounds=1, messages=1500, rival_messages=400, widths=(16,), latencies_ms=(0, 10), singles=30,
    lifetime=5000, sleepers=200, printed_mb=200, recorded=1000, answered=5000,
)  # fmt: skip


@dataclass(slots=True)
class Findings:
    """The measured figures by name, each with all its rounds."""

    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.figures.setdefault(name, []).append(value)

    def add_run(self, name: str, run: Run) -> None:
        """Adds the figures of a run; its rate has the plain name."""
        self.add(name, run.rate)
        for what in ("cpu_ms", "calls", "rss_mb"):
            self.add(f"{name} {what}", getattr(run, what))

    def median(self, name: str) -> float | None:
        """The median of all rounds; None if it was not measured."""
        values = self.figures.get(name)
        return statistics.median(values) if values else None
