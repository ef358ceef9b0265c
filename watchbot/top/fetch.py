"""Fetches a watcher's metrics and failures."""

import json
import time
from typing import Any
from urllib.parse import urljoin

from watchbot.top.reading import Reading, ShownFailure
from watchbot.watchers import NoWatcher, page_at, samples_at


def fetch(url: str) -> Reading | str:
    """A reading of the watcher whose metrics are at `url`; or the reason for having none."""
    try:
        samples = samples_at(url)
        failures = json.loads(page_at(urljoin(url, "failures")))
        progress = _progress(url)
        return Reading(
            at_s=time.monotonic(),
            samples=samples,
            failures=tuple(_failure(each) for each in failures),
            progress={str(each["message_id"]): float(each["fraction"]) for each in progress},
        )
    except NoWatcher as away:
        return str(away)
    except (ValueError, TypeError, KeyError) as fault:
        return str(NoWatcher(fault))


def _progress(url: str) -> list[dict[str, Any]]:
    """What the watcher's workers have told; nothing from an earlier version, without that page."""
    try:
        page = page_at(urljoin(url, "progress"))
    except NoWatcher:
        return []
    said: list[dict[str, Any]] = json.loads(page)
    return said


def _failure(said: dict[str, Any]) -> ShownFailure:
    return ShownFailure(
        fingerprint=str(said["fingerprint"]),
        how=str(said["how"]),
        count=int(said["count"]),
        last=str(said["last"]),
    )
