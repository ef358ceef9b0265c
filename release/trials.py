"""Tries each file of a release in a place that has nothing else of the project."""

import json
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

MAKERS_OF_A_VENV = ("pip", "setuptools")  # `venv` puts them there; the wheel does not want them


class Refused(Exception):
    """A file of the release does not do what it is for."""


def try_package(file: Path, place: Path) -> None:
    """Installs a wheel or a source distribution into an environment of its own in `place`."""
    venv.create(place, with_pip=True)
    words = "-m pip install --quiet --disable-pip-version-check".split()
    subprocess.run([place / "bin/python", *words, *_constraints(), file], check=True)
    _says_what_it_is([place / "bin/watchbot"], file, "package")


def try_binary(file: Path, place: Path) -> None:
    """Runs the one-file binary, whose only writable directory is `place`."""
    python = getattr(sys, "_base_executable", sys.executable)
    _says_what_it_is([python, "-I", file], file, "binary", WATCHBOT_CACHE=str(place))


def try_standalone(file: Path, place: Path) -> None:
    """Unpacks the standalone build in `place`, and runs it without a variable."""
    with tarfile.open(file) as archive:
        archive.extractall(place, filter="data")
    _says_what_it_is([place / "watchbot/bin/watchbot"], file, "standalone")


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


def try_bill(file: Path, place: Path) -> None:
    """Looks for the version, and for packages that only the environment has."""
    bill = json.loads(file.read_text())
    names = {component["name"] for component in bill["components"]}
    if bill["metadata"]["component"].get("version") != __version__ or names & {*MAKERS_OF_A_VENV}:
        raise Refused(f"{file.name} is not the bill of materials of version {__version__}")


TRIALS: dict[str, Callable[[Path, Path], None]] = {
    "*.whl": try_package,
    "watchbot_sqs-*.tar.gz": try_package,
    "*.pyz": try_binary,
    "watchbot-*-linux-*.tar.gz": try_standalone,
    "watchbot-schedule-lambda-*.zip": try_function,
    "watchbot-*.tgz": try_chart,
    "watchbot.cdx.json": try_bill,
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


def _says_what_it_is(program: list[str | Path], file: Path, build: str, **variables: str) -> None:
    done = subprocess.run(
        [*program, "--version", "--json"],
        env={"PATH": os.defpath, **variables}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    start = f'{{\n  "version": "{__version__}",\n  "build": "{build}",\n'
    if done.returncode or not done.stdout.startswith(start):
        said = f"{done.stdout}{done.stderr}"
        raise Refused(f"{file.name}: {program[-1]} --version --json said {said}")
