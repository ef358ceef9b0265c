"""Builds dist/watchbot-schedule-lambda-VERSION.zip (`make lambda`), and prints its path.

The zip has the code of the custom resource for AWS Lambda, for the Python and the processor that
the template names, on any machine that builds it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release.pyz import ROOT, clean, install, make_alike
from watchbot import __version__
from watchbot.template.function import PYTHON

# The platform tags that Lambda's Amazon Linux 2023 takes, because pip does not add older ones.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
SERVICES = {"dynamodb", "ecs"}  # dynamodb is called; ecs describes the options to check


def build(target: Path, python: str = PYTHON) -> Path:
    """Builds the zip in the directory `target`; returns its path. Raises `CalledProcessError`."""
    with tempfile.TemporaryDirectory() as name:
        content = Path(name) / "content"
        install(content, f"{_wheel(Path(name))}[schedule]", *_made_for(python))
        clean(content)
        _leave_out_what_is_not_loaded(content)
        make_alike(content)
        target.mkdir(parents=True, exist_ok=True)
        base = target / f"watchbot-schedule-lambda-{__version__}"
        return Path(shutil.make_archive(str(base), "zip", content))


def _wheel(folder: Path) -> Path:
    """Builds a wheel of the package, because pip installs only wheels for another Python."""
    words = "-m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation"
    subprocess.run([sys.executable, *words.split(), "--wheel-dir", str(folder), ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _made_for(python: str) -> list[str]:
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]


def _leave_out_what_is_not_loaded(content: Path) -> None:
    """Deletes files that Lambda never loads, about half, because a small zip starts sooner."""
    for unused in ("uvloop", "s3transfer", "boto3/data", "boto3/examples"):
        shutil.rmtree(content / unused)
    for service in (content / "botocore/data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)


if __name__ == "__main__":
    target, *python = sys.argv[1:] or [str(ROOT / "dist")]
    sys.stdout.write(f"{build(Path(target), *python)}\n")
