"""`watchbot healthcheck`: asks this container's watcher for its health."""

import http.client
import sys

PATIENCE_S = 4  # ECS gives a health check five seconds by default


def healthcheck(address: str) -> int:
    """Prints the health of the watcher at `address` (HOST:PORT); returns 0 if healthy, else 1."""
    problem = _problem(address)
    (sys.stderr if problem else sys.stdout).write(f"healthcheck: {problem or 'ok'}\n")
    return 1 if problem else 0


def _problem(address: str) -> str | None:
    try:
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = answer.read(1000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"no answer from {address}: {reason}; check that --metrics-port is the watcher's"
    return None if answer.status == 200 else f"{answer.status}: {' '.join(said.split())}"
