"""Fetches a watcher's metrics and failures."""

import json
import time
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin

from watchbot import metrics
from watchbot.top.reading import Reading, ShownFailure

PATIENCE_S = 5
# Watchers are nearby: no proxy is used.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
MOST_BYTES = 10_000_000  # the most that is read of an answer


def fetch(url: str) -> Reading | str:
    """A reading of the watcher whose metrics are at `url`; or the reason for having none."""
    try:
        samples = metrics.parse(_get(url))
        if not any(name == "watchbot_build_info" for name, _ in samples):
            return "no watchbot answers there"
        failures = json.loads(_get(urljoin(url, "failures")))
        return Reading(
            at_s=time.monotonic(),
            samples=samples,
            failures=tuple(_failure(each) for each in failures),
        )
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as error:
        reason = getattr(error, "reason", None) or error
        return " ".join(str(getattr(reason, "strerror", None) or reason).split())


def _get(url: str) -> str:
    with _OPENER.open(url, timeout=PATIENCE_S) as answer:
        read: bytes = answer.read(MOST_BYTES)
    return read.decode(errors="replace")


def _failure(said: dict[str, Any]) -> ShownFailure:
    return ShownFailure(
        fingerprint=str(said["fingerprint"]),
        how=str(said["how"]),
        count=int(said["count"]),
        last=str(said["last"]),
    )
