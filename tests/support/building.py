"""What the project hands out, built."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = getattr(sys, "_base_executable", sys.executable)  # without any of our packages


def made(*words: str | Path, **env: str) -> None:
    """Runs a command of the build at the root of the tree; it has to succeed."""
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
