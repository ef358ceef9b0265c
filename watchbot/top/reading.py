"""A reading of a watcher, and the summary of two readings."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from watchbot.metrics import Samples
from watchbot.outcome import NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFailure:
    """A group of failures with one fingerprint."""

    fingerprint: str
    how: str
    count: int
    last: str  # when, ISO 8601


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """A run under way: its messages, its age, and the share that is done of each, from 0 to 1."""

    message_ids: tuple[str, ...]
    age_s: float | None
    progress: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A watcher's metrics at one moment, and what it runs; `at_s` is in seconds of any clock."""

    at_s: float
    samples: Samples
    failures: tuple[ShownFailure, ...] = ()
    running: tuple[ShownRun, ...] = ()

    @property
    def progress(self) -> Mapping[str, float]:
        """The share of the work that is done, by the ids of messages in hand."""
        return {name: share for run in self.running for name, share in run.progress.items()}

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of the watcher's queues."""
        return tuple(
            dict(labels)["queue"]
            for name, labels in self.samples
            if name == "watchbot_messages_received_total" and "queue" in dict(labels)
        )

    def of(self, queue: str) -> "Reading":
        """What is known of one queue."""
        samples = {key: value for key, value in self.samples.items() if ("queue", queue) in key[1]}
        return Reading(at_s=self.at_s, samples=samples)

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of the series that have these labels, among others."""
        wanted = labels.items()
        return [
            value
            for (sample, theirs), value in self.samples.items()
            if sample == name and wanted <= theirs
        ]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series that have these labels; 0 without any."""
        return sum(self.values(name, **labels))

    def buckets(self, name: str) -> dict[float, float]:
        """The buckets of a histogram of all queues: observations up to each bound, by bound."""
        found: dict[float, float] = {}
        for (sample, labels), value in self.samples.items():
            if sample == f"{name}_bucket":
                bound = float(dict(labels)["le"])
                found[bound] = found.get(bound, 0.0) + value
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of one watcher, or of one of its queues.

    Durations are in seconds, rates per second. `warm` is the number of workers that stay,
    `restarts` how many others they have replaced. `queues` are by name, where there are several.
    """

    visible: float
    hidden: float
    oldest_s: float
    busy: float
    limit: float
    warm: float
    restarts: float
    rates: Mapping[str, float]
    p50_s: float | None
    p95_s: float | None
    leases_lost: float
    breaker_open: bool
    paused: bool
    in_hand: float
    failures: tuple[ShownFailure, ...]
    queues: Mapping[str, "Summary"]
    progress: Mapping[str, float]


def summary(before: Reading, after: Reading) -> Summary:
    """The rates between two readings, and the state at the second.

    Durations cover workers that ended between the readings; if none did, all since the start.
    """
    seconds = max(after.at_s - before.at_s, 1e-9)
    worker = "watchbot_worker_duration_seconds"
    ended, all_ended = _grown(before.buckets(worker), after.buckets(worker)), after.buckets(worker)
    durations = ended if max(ended.values(), default=0) else all_ended
    settled = "watchbot_messages_settled_total"
    rates = {
        each: _growth(before.value(settled, outcome=each), after.value(settled, outcome=each))
        / seconds
        for each in NAMES
    }
    return Summary(
        visible=after.value("watchbot_queue_messages", state="visible"),
        hidden=after.value("watchbot_queue_messages", state="in_flight"),
        oldest_s=max(after.values("watchbot_queue_oldest_message_age_seconds"), default=0.0),
        busy=after.value("watchbot_workers_busy"),
        limit=after.value("watchbot_workers_limit"),
        warm=after.value("watchbot_warm_workers"),
        restarts=after.value("watchbot_worker_restarts_total"),
        rates=rates,
        p50_s=quantile(0.5, durations),
        p95_s=quantile(0.95, durations),
        leases_lost=after.value("watchbot_leases_lost_total"),
        breaker_open=after.value("watchbot_breaker_open") > 0,
        paused=max(after.values("watchbot_paused"), default=0.0) > 0,
        in_hand=after.value("watchbot_messages_in_hand"),
        failures=after.failures,
        queues={
            name: summary(before.of(name), after.of(name))
            for name in (after.queues if len(after.queues) > 1 else ())
        },
        progress=after.progress,
    )


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The value below which this share lies, estimated like Prometheus's `histogram_quantile`.

    None without observations.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if not total:
        return None
    rank = share * total
    for lower, upper in itertools.pairwise([0.0, *bounds]):
        if buckets[upper] >= rank:
            if upper == float("inf"):
                return lower
            below = buckets.get(lower, 0.0)
            return lower + (upper - lower) * (rank - below) / (buckets[upper] - below)
    return None


def _grown(before: Mapping[float, float], after: Mapping[float, float]) -> dict[float, float]:
    return {bound: _growth(before.get(bound, 0.0), value) for bound, value in after.items()}


def _growth(before: float, after: float) -> float:
    # A counter that shrank was reset to 0: all of it is growth.
    return after - before if after >= before else after
