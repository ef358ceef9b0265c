"""Defines `watchbot healthcheck`."""

from typing import Any

import click

from watchbot.settings.healthcheck import address


@click.command
@click.option(
    "--port",
    "--metrics-port",
    "metrics_port",
    metavar="PORT",
    help="Ask /healthz on this port. [WATCHBOT_METRICS_PORT] Default: 9090.",
)
@click.option(
    "--metrics-host",
    metavar="ADDRESS",
    help="Ask a watcher that serves on this address. [WATCHBOT_METRICS_HOST] Default: 0.0.0.0.",
)
def healthcheck(**flags: Any) -> int:
    """Exit with 0 if the watcher here is healthy, else with 1.

    Use it as HEALTHCHECK in a Dockerfile or as healthCheck in a task definition. Asks /healthz on
    this machine, for at most four seconds. An unreachable queue or database does not make the
    watcher unhealthy.
    """
    from watchbot.healthcheck import healthcheck

    given = {name: value for name, value in flags.items() if value is not None}
    return healthcheck(address(given))
