"""`watchbot healthcheck`."""

from typing import Any

import click

from watchbot.settings.healthcheck import address


@click.command
@click.option(
    "--port",
    "--metrics-port",
    "metrics_port",
    metavar="PORT",
    help="Where the watcher serves /healthz. [WATCHBOT_METRICS_PORT] Default: 9090.",
)
@click.option(
    "--metrics-host",
    metavar="ADDRESS",
    help="The address it serves on. [WATCHBOT_METRICS_HOST] Default: 0.0.0.0.",
)
def healthcheck(**flags: Any) -> int:
    """Exit 0 if the watcher in this container is well, else 1.

    For HEALTHCHECK in a Dockerfile and healthCheck in a task definition. Asks /healthz on this
    machine, for four seconds at most. A queue or a database that is away does not make it fail.
    """
    from watchbot.healthcheck import healthcheck

    given = {name: value for name, value in flags.items() if value is not None}
    return healthcheck(address(given))
