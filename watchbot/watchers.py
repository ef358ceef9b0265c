"""Reads what watchers serve on their metrics port."""

import urllib.request
from http.client import HTTPException

from watchbot import metrics
from watchbot.metrics import Samples

PATIENCE_S = 5
MOST_BYTES = 10_000_000  # the most that is read of an answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the token is for the server that the user named."""

    def redirect_request(self, *_: object) -> None:
        return None


# Our own servers are nearby: no proxy is used.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


class NoWatcher(Exception):
    """No watcher can be read at a URL; the text is the reason, in one line."""

    def __init__(self, fault: object) -> None:
        reason = getattr(fault, "reason", None) or fault
        super().__init__(" ".join(str(getattr(reason, "strerror", None) or reason).split()))


def samples_at(metrics_url: str, token: str | None = None) -> Samples:
    """The metrics of the watcher at this URL, which may want a token. Raises `NoWatcher`."""
    try:
        samples = metrics.parse(page_at(metrics_url, token))
    except ValueError as fault:
        raise NoWatcher(fault) from fault
    if not any(name == "watchbot_build_info" for name, _ in samples):
        raise NoWatcher("no watchbot answers there")
    return samples


def page_at(url: str, token: str | None = None) -> str:
    """The text of a page that a watcher serves. Raises `NoWatcher`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - settings check the scheme
    try:
        with DIRECT.open(asked, timeout=PATIENCE_S) as answer:
            read: bytes = answer.read(MOST_BYTES)
    except (OSError, HTTPException, ValueError) as fault:
        raise NoWatcher(fault) from fault
    return read.decode(errors="replace")
