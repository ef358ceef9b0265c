"""Defines `watchbot doctor`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.doctor import DoctorSettings


@click.command
@options(DoctorSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list of findings.")
def doctor(settings: DoctorSettings, as_json: bool) -> int:
    """Check a set-up, and say how to mend it.

    Checks queue, dead-letter queue, topic, permissions, times and this machine. Changes nothing and
    receives no message. Takes the options and variables of `watchbot listen`. Prints a line for
    each finding: ok, warn or FAIL. Exits with 1 if a check fails.
    """
    from watchbot.doctor.service import doctor

    return asyncio.run(doctor(settings, as_json=as_json))
