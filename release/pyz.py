"""Builds dist/watchbot-VERSION-PLATFORM.pyz (`make pyz`), and prints its path.

The build is reproducible: equal sources, constraints and Python give equal bytes. It fixes all
times, and leaves out pip's notes about this machine.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipapp
from pathlib import Path

from watchbot import __version__
from watchbot.extras import MARK

ROOT = Path(__file__).parents[1]
EXTRAS = "postgres,redis,schedule,tools"
NEW_YEAR_1980 = 315_619_200  # seconds; the earliest time in a zip
MADE_HERE = ("direct_url.json", "RECORD", "INSTALLER", "REQUESTED")  # notes of pip


def build(target: Path) -> Path:
    """Builds the binary in the directory `target`; returns its path; or `CalledProcessError`."""
    with tempfile.TemporaryDirectory() as name:
        content = Path(name) / "content"
        install(content, f"{ROOT}[{EXTRAS}]")
        clean(content)
        (content / "watchbot" / MARK).write_text("binary\n")
        start = (ROOT / "release/bootstrap.py").read_text()
        (content / "__main__.py").write_text(start.replace("@CONTENT@", _digest(content)))
        make_alike(content)
        target.mkdir(parents=True, exist_ok=True)
        tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
        platform = sysconfig.get_platform().replace("-", "_")
        binary = target / f"watchbot-{__version__}-{tag}-{platform}.pyz"
        python = f"/usr/bin/env python3.{sys.version_info.minor}"
        zipapp.create_archive(content, binary, python, compressed=True)
        binary.chmod(0o755)
    return binary


def install(content: Path, package: str, *options: str) -> None:
    """Installs the package (with extras in brackets) and its dependencies into a directory."""
    words = "-m pip install --quiet --disable-pip-version-check --no-compile --target".split()
    constraint = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run(
        [sys.executable, *words, str(content), *constraint, *options, package], check=True
    )


def clean(content: Path) -> None:
    """Deletes files that differ between machines, and files that are never loaded."""
    shutil.rmtree(content / "bin", ignore_errors=True)
    for found in content.rglob("*"):
        if found.name in MADE_HERE and found.parent.suffix == ".dist-info":
            found.unlink()
    for found in content.rglob("__pycache__"):
        shutil.rmtree(found)


def _digest(content: Path) -> str:
    whole = hashlib.sha256()
    for file in sorted(each for each in content.rglob("*") if each.is_file()):
        whole.update(f"{file.relative_to(content)}\0{file.stat().st_size}\0".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()[:32]


def make_alike(content: Path) -> None:
    """Gives all files fixed times and rights, on any machine."""
    for found in content.rglob("*"):
        found.chmod(0o755 if found.is_dir() or os.access(found, os.X_OK) else 0o644)
        os.utime(found, (NEW_YEAR_1980, NEW_YEAR_1980))


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / 'dist')}\n")
