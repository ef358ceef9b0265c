"""A command that runs as root when somebody else starts it, and how to be somebody else."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65_534


@contextlib.contextmanager
def setuid_sleep() -> Iterator[str]:
    """The words of a `sleep` that becomes root, for as long as this is open."""
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("there is no setpriv here")
    if os.geteuid():
        pytest.skip("only root can make a setuid program of root")
    with tempfile.TemporaryDirectory() as place:
        if os.statvfs(place).f_flag & os.ST_NOSUID:
            pytest.skip("setuid programs do nothing on the disk of temporary files")
        path = Path(place, "as-root")
        shutil.copy(setpriv, path)
        path.chmod(0o4755)
        os.chmod(place, 0o755)
        yield f"{path} --reuid=0 --regid=0 --clear-groups sleep"


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """This process is nobody while this is open."""
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def as_nobody() -> list[str]:
    """The words that run a command as nobody, who may read what root may."""
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("there is no setpriv here")
    reads = [f"--{kind}-caps=-all,+dac_override" for kind in ("inh", "ambient")]
    return [setpriv, f"--reuid={NOBODY}", "--regid=0", "--clear-groups", *reads]
