"""Fetches what a watcher serves: its metrics, its failures, and what it runs."""

import json
import time
from typing import Any
from urllib.parse import urljoin

from watchbot.top.reading import Reading, ShownFailure, ShownRun
from watchbot.watchers import NoWatcher, page_at, samples_at

# What JSON of another shape raises, or one with Infinity, or one that is nested too deep.
_NOT_OURS = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def fetch(url: str, token: str | None = None) -> Reading | str:
    """A reading of the watcher whose metrics are at `url`; or the reason for having none."""
    try:
        samples = samples_at(url, token)
        failures = json.loads(page_at(urljoin(url, "failures"), token))
        return Reading(
            at_s=time.monotonic(),
            samples=samples,
            failures=tuple(_failure(each) for each in failures),
            running=tuple(_run(each) for each in _running(url, token)),
        )
    except NoWatcher as away:
        return str(away)
    except _NOT_OURS:
        return "its /failures or /v1/workers are not those of a watcher"


def runs_at(url: str, token: str | None = None) -> list[dict[str, Any]] | None:
    """The last runs of the watcher whose metrics are at `url`.

    None for an earlier version, which has no such page.
    """
    try:
        runs = json.loads(page_at(urljoin(url, "v1/runs"), token))
    except (NoWatcher, ValueError, RecursionError):
        return None
    return [each for each in runs if isinstance(each, dict)] if isinstance(runs, list) else None


def _running(url: str, token: str | None) -> list[dict[str, Any]]:
    """What the watcher runs now; nothing from an earlier version, without that page."""
    try:
        page = page_at(urljoin(url, "v1/workers"), token)
    except NoWatcher:
        return []
    running: list[dict[str, Any]] = json.loads(page)["running"]
    return running


def _run(said: dict[str, Any]) -> ShownRun:
    age_s = said.get("age_s")
    return ShownRun(
        message_ids=tuple(str(each) for each in said.get("message_ids", ())),
        age_s=None if age_s is None else float(age_s),
        progress={str(name): float(share) for name, share in said["progress"].items()},
    )


def _failure(said: dict[str, Any]) -> ShownFailure:
    return ShownFailure(
        fingerprint=str(said["fingerprint"]),
        how=str(said["how"]),
        count=int(said["count"]),
        last=str(said["last"]),
    )
