"""Signals to a service, as a process of its own."""

import subprocess
import sys

import pytest

_SERVICE = """
import os, signal, sys
from watchbot import lifecycle

async def service(stop):
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.draining.wait()
    return 7

code = lifecycle.run(service)
os.kill(os.getpid(), signal.{late})
sys.exit(code)
"""


@pytest.mark.parametrize("late", ["SIGTERM", "SIGQUIT"])
def test_signal_that_comes_after_the_last_work_leaves_the_exit_code(late: str) -> None:
    ended = subprocess.run([sys.executable, "-c", _SERVICE.format(late=late)], check=False)

    assert ended.returncode == 7
