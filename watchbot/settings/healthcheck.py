"""The address that `watchbot healthcheck` asks.

Uses only the standard library: the one-file binary runs this from within the archive, where no
compiled module can be loaded. A health check has a few seconds, and must not unpack first.
"""

import os
from collections.abc import Mapping

from watchbot.address import bare, nearby, netloc
from watchbot.errors import SettingError
from watchbot.settings.service_links import service_link

_PORT = "WATCHBOT_METRICS_PORT"
_HOST = "WATCHBOT_METRICS_HOST"
_LAST_PORT = 65_535


def address(given: Mapping[str, str]) -> str:
    """Host and port to ask on this machine, from flags or the watcher's variables.

    Raises `SettingError` for a bad port.
    """
    port = _port(given.get("metrics_port", os.environ.get(_PORT) or "9090"))
    host = given.get("metrics_host", os.environ.get(_HOST) or "0.0.0.0")
    return netloc(nearby(bare(host)), port)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        problem = service_link(_PORT, text) or f"must be a whole number, not {text!r}"
    else:
        if 1 <= port <= _LAST_PORT:
            return port
        limit = f"at most {_LAST_PORT}" if port > 1 else "at least 1"
        problem = f"must be {limit}, not {port}"
    raise SettingError(f"--metrics-port ({_PORT})", problem)
