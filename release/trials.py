"""Tries each file of a release in a place that has nothing else of the project."""

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

from watchbot import __version__


class Refused(Exception):
    """A file of the release does not do what it is for."""


def try_package(file: Path, place: Path) -> None:
    """Installs a wheel or a source distribution into an environment of its own in `place`."""
    venv.create(place, with_pip=True)
    words = "-m pip install --quiet --disable-pip-version-check".split()
    subprocess.run([place / "bin/python", *words, *_constraints(), file], check=True)
    _says_its_version([place / "bin/watchbot"], file)


def try_binary(file: Path, place: Path) -> None:
    """Runs the one-file binary, whose only writable directory is `place`."""
    python = getattr(sys, "_base_executable", sys.executable)
    _says_its_version([python, "-I", file], file, WATCHBOT_CACHE=str(place))


def try_standalone(file: Path, place: Path) -> None:
    """Unpacks the standalone build in `place`, and runs it without a variable."""
    with tarfile.open(file) as archive:
        archive.extractall(place, filter="data")
    _says_its_version([place / "watchbot/bin/watchbot"], file)


def try_function(file: Path, place: Path) -> None:
    """Looks for the handler: the Python that it is made for may not be here."""
    with zipfile.ZipFile(file) as archive:
        if "watchbot/schedule/custom_resource.py" not in archive.namelist():
            raise Refused(f"{file.name} has no custom resource")


def try_chart(file: Path, place: Path) -> None:
    """Reads the chart as Helm does."""
    import helm_python  # its library is heavy, and for Linux alone

    with helm_python.Chart.load(file) as chart:
        if chart.version != __version__ or chart.schema is None:
            raise Refused(f"{file.name} is of version {chart.version}, or has no schema")


TRIALS: dict[str, Callable[[Path, Path], None]] = {
    "*.whl": try_package,
    "watchbot_sqs-*.tar.gz": try_package,
    "*.pyz": try_binary,
    "watchbot-*-linux-*.tar.gz": try_standalone,
    "watchbot-schedule-lambda-*.zip": try_function,
    "watchbot-*.tgz": try_chart,
}


def try_all(folder: Path) -> None:
    """Tries the files of the directory. Raises `Refused` if one fails, or is not there."""
    for pattern, trial in TRIALS.items():
        found = sorted(folder.glob(pattern))
        if not found:
            raise Refused(f"{folder} has no {pattern}")
        for file in found:
            with tempfile.TemporaryDirectory() as place:
                trial(file, Path(place) / "empty")


def _constraints() -> list[str]:
    return ["--constraint", str(Path(__file__).parents[1] / "constraints.txt")]


def _says_its_version(program: list[str | Path], file: Path, **variables: str) -> None:
    done = subprocess.run(
        [*program, "--version"],
        env={"PATH": os.defpath, **variables}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if (done.returncode, done.stdout) != (0, f"watchbot {__version__}\n"):
        raise Refused(f"{file.name}: {program[-1]} --version said {done.stdout}{done.stderr}")
