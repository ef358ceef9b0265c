"""Where `watchbot healthcheck` asks."""

from typing import Annotated

from pydantic import Field

from watchbot.settings.base import Settings, option

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # to serve on; what to ask then


class HealthcheckSettings(Settings):
    """`watchbot healthcheck`. It reads the variables that its watcher reads."""

    metrics_port: Annotated[int, Field(ge=1, le=65535)] = option(
        9090, "Where the watcher serves /healthz.", "PORT"
    )
    metrics_host: str = option("0.0.0.0", "The address it serves on.", "ADDRESS")

    @property
    def address(self) -> str:
        """Host and port to ask, from the same machine."""
        return f"{_ANY.get(self.metrics_host, self.metrics_host)}:{self.metrics_port}"
