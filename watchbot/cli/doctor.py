"""`watchbot doctor`."""

import asyncio

import click

from watchbot.cli.options import options
from watchbot.settings.doctor import DoctorSettings


@click.command
@options(DoctorSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list of findings.")
def doctor(settings: DoctorSettings, as_json: bool) -> int:
    """Check a set-up, and say how to mend it.

    Looks at queue, dead-letter queue, topic, permissions, times and this machine; changes and
    receives nothing. Give it the options and variables of `watchbot listen`. One line a finding:
    ok, warn or FAIL. The exit code is 1 when anything fails.
    """
    from watchbot.doctor.service import doctor

    return asyncio.run(doctor(settings, as_json=as_json))
