"""What a copy of watchbot says of itself."""

import json
import platform
import subprocess
from importlib.metadata import version

import pytest

from tests.support.cloud import BIN
from watchbot import __version__


def watchbot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "watchbot", *words], env={}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("words", [["--version"], ["--version", "listen"]])
def test_version_is_one_line(words: list[str]) -> None:
    said = watchbot(*words)

    assert (said.returncode, said.stdout, said.stderr) == (0, f"watchbot {__version__}\n", "")


@pytest.mark.parametrize("words", [["--version", "--json"], ["--json", "--version"]])
def test_version_as_json_says_what_a_report_needs(words: list[str]) -> None:
    said = watchbot(*words)
    about = json.loads(said.stdout)

    assert said.returncode == 0
    assert about["version"] == __version__
    assert about["build"] == "checkout"
    assert about["python"] == platform.python_version()
    assert about["libraries"]["aioboto3"] == version("aioboto3")
    assert about["libraries"]["botocore"] == version("botocore")
    assert about["libraries"]["anyio"] == version("anyio")
    assert {"local", "postgres", "schedule", "template", "tools"} <= set(about["extras"])
    assert not {"dev", "release"} & set(about["extras"])


@pytest.mark.parametrize("words", [["--json"], ["--json", "send"]])
def test_json_alone_is_refused(words: list[str]) -> None:
    said = watchbot(*words)

    assert said.returncode == 2
    assert said.stderr == (
        "watchbot: --json goes with --version, or behind a command; see watchbot --help\n"
    )


def test_nothing_asked_is_answered_by_the_help() -> None:
    said = watchbot()

    assert said.returncode == 2
    assert said.stderr.startswith("Usage: watchbot [OPTIONS]")
