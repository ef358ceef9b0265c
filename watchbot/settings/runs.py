"""How many messages run at once, together or apart, and in what processes."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator

from watchbot import descriptors
from watchbot.settings.base import TWELVE_HOURS_S, Settings, option

MOST_SLOTS = 20_000  # of a watcher; SQS lets a queue have 120,000 messages in flight
MOST_FIFO = 10  # messages that one receive brings


def usable_cpus() -> int:
    """The CPUs that this process may use, container limits counted; at least 1."""
    cpus = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    quota = _cgroup_quota()
    return max(1, int(min(cpus, quota) if quota else cpus))


def _cgroup_quota() -> float | None:
    root = Path("/sys/fs/cgroup")
    try:
        allowed, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            allowed = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return int(allowed) / int(period) if allowed.isdigit() and int(period) else None


def _concurrency(value: object) -> object:
    if isinstance(value, str):
        if value.strip().lower() == "auto":
            most = descriptors.carried()
            return usable_cpus() if most is None else max(1, min(usable_cpus(), most))
        if not re.fullmatch(r"\s*[+-]?\d+\s*", value):
            raise ValueError(f"must be a whole number from 1, or 'auto', not {value!r}")
    return value


def _rate(text: str) -> str:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)/([smh])", text)
    if found is None or not float(found[1]):
        raise ValueError(
            f"must be a number above 0 a second, minute or hour, like 10/s or 5/m, not {text!r}"
        )
    return text


def check_fifo(known: Mapping[str, Any]) -> None:
    """Raises `ValueError` where these settings ask a FIFO queue for what it cannot give."""
    size = known.get("batch_size", 1)
    if size > MOST_FIFO:
        raise ValueError(
            f"is a FIFO queue, which gives a run at most {MOST_FIFO} messages of a group; "
            f"ask for --batch-size {MOST_FIFO}, not {size}"
        )
    if known.get("batch_window", 0):
        raise ValueError(
            "is a FIFO queue, which gives no more of a group that runs; leave --batch-window out"
        )


class RunSettings(Settings):
    """What a run gets, and how many of them there are at once."""

    concurrency: Annotated[int, BeforeValidator(_concurrency)] = option(
        1,
        "Run at most N workers at once; auto: one for each usable CPU.",
        "N|auto",
        ge=1,
        le=10_000,
    )
    rate: Annotated[str, AfterValidator(_rate)] | None = option(
        None, "Start at most N runs a second, minute or hour.", "N/s|N/m|N/h"
    )
    batch_size: int = option(
        1, "Give a run up to N messages, as lines on its standard input.", "N", ge=1, le=10_000
    )
    batch_window: float = option(
        0, "Wait at most this long for a batch to be full.", "S", ge=0, le=300
    )
    warm: Literal["off", "lines", "lambda"] = option(
        "off",
        "Keep workers running, and hand them messages as lines (lines), or as AWS Lambda does "
        "(lambda); or start one for each run.",
        "off|lines|lambda",
    )
    handler: str | None = option(
        None, "With --warm lambda, name the function to the runtime; default: _HANDLER.", "NAME"
    )
    start_timeout: float = option(
        60,
        "With --warm lambda, end a runtime that has not asked for work by then.",
        "S",
        gt=0,
        le=TWELVE_HOURS_S,
    )
    max_event: int = option(
        6_000_000, "With --warm lambda, hand over no larger event.", "BYTES", ge=1_024
    )
    recycle_after: int = option(
        0, "With --warm, replace a worker after N runs; 0: never.", "N", ge=0
    )
    recycle_memory: int = option(
        0, "With --warm, replace a worker that holds more memory; 0: never.", "MB", ge=0
    )
    max_line: int = option(
        8_388_608, "Give a message in a file where its line were longer.", "BYTES", ge=1_024
    )
    max_in_hand_bytes: int = option(
        268_435_456, "Receive nothing while bodies in hand take up more.", "BYTES", ge=1
    )

    @field_validator("batch_size")
    @classmethod
    def _few_enough(cls, size: int, known: ValidationInfo) -> int:
        concurrency = known.data.get("concurrency", 1)
        if concurrency * size > MOST_SLOTS:
            raise ValueError(
                f"times --concurrency {concurrency} is {concurrency * size:,} messages in hand; "
                f"at most {MOST_SLOTS:,} are possible"
            )
        return size

    @field_validator("batch_window")
    @classmethod
    def _has_a_batch(cls, seconds: float, known: ValidationInfo) -> float:
        if seconds and known.data.get("batch_size", 1) == 1:
            raise ValueError("waits for a batch of one message; ask for a --batch-size, too")
        return seconds

    @field_validator("handler")
    @classmethod
    def _has_a_runtime(cls, name: str | None, known: ValidationInfo) -> str | None:
        if name is not None and known.data.get("warm", "off") != "lambda":
            raise ValueError("names a function of AWS Lambda; ask for --warm lambda, too")
        return name

    @field_validator("recycle_after", "recycle_memory")
    @classmethod
    def _has_workers_that_stay(cls, most: int, known: ValidationInfo) -> int:
        if most and known.data.get("warm", "off") == "off":
            raise ValueError("replaces workers that stay; ask for --warm, too")
        return most

    @property
    def runs_per_s(self) -> float:
        """How many runs may start in a second; infinity without `--rate`."""
        if self.rate is None:
            return math.inf
        count, _, unit = self.rate.partition("/")
        return float(count) / {"s": 1, "m": 60, "h": 3600}[unit]
