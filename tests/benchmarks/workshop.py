"""Builds the rivals, each where the machine has what it needs."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.bench import RIVALS


@contextmanager
def workshop() -> Iterator[Path]:
    """A directory with the C program `limit` and, where there is npm, the rivals in Node.js."""
    with tempfile.TemporaryDirectory(prefix="watchbot-bench-") as name:
        home = Path(name)
        subprocess.run(["cc", "-O2", "-o", home / "limit", RIVALS / "limit.c"], check=True)
        for file in ("package.json", "consumer.mjs", "handlers.mjs"):
            shutil.copy(RIVALS / file, home)
        if shutil.which("npm"):
            words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
            subprocess.run(words, cwd=home, check=True)
        yield home


def add_python(home: Path) -> Path | None:
    """An interpreter that has the rivals in Python; None, and a line, where pip finds none."""
    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wanted = ["-r", str(RIVALS / "requirements.txt")]
    done = subprocess.run([venv / "bin/python", *words, *wanted], check=False)
    if done.returncode:
        sys.stdout.write("  no rivals in Python: pip cannot install them\n")
        return None
    return venv / "bin/python"
