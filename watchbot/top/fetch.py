"""Fetches a watcher's metrics and failures."""

import json
import time
from typing import Any
from urllib.parse import urljoin

from watchbot.top.reading import Reading, ShownFailure
from watchbot.watchers import NoWatcher, page_at, samples_at


def fetch(url: str, token: str | None = None) -> Reading | str:
    """A reading of the watcher whose metrics are at `url`; or the reason for having none."""
    try:
        samples = samples_at(url, token)
        failures = json.loads(page_at(urljoin(url, "failures"), token))
        progress = _progress(url, token)
        return Reading(
            at_s=time.monotonic(),
            samples=samples,
            failures=tuple(_failure(each) for each in failures),
            progress=progress,
        )
    except NoWatcher as away:
        return str(away)
    except (ValueError, TypeError, KeyError) as fault:
        return str(NoWatcher(fault))


def _progress(url: str, token: str | None) -> dict[str, float]:
    """What the watcher's workers have told; nothing from an earlier version, without that page."""
    try:
        page = page_at(urljoin(url, "v1/workers"), token)
    except NoWatcher:
        return {}
    running: list[dict[str, Any]] = json.loads(page)["running"]
    return {
        str(message_id): float(part)
        for run in running
        for message_id, part in run["progress"].items()
    }


def _failure(said: dict[str, Any]) -> ShownFailure:
    return ShownFailure(
        fingerprint=str(said["fingerprint"]),
        how=str(said["how"]),
        count=int(said["count"]),
        last=str(said["last"]),
    )
