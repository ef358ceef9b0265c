"""`watchbot template`, and what Python has of it, as their users run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.decode import cfn_yaml

from tests.support.cloud import BIN
from watchbot.extras import how_to_add

SERVICE = ("--service", "resize", "--image", "resize:1", "--command", "./resize.sh")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "watchbot"), "template", *words],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def python(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + "".join(done.stderr.splitlines()[-1:])


def test_json_and_yaml_say_the_same() -> None:
    as_json, as_yaml = run(*SERVICE), run(*SERVICE, "--format", "yaml")

    assert (as_json.returncode, as_json.stderr, as_yaml.stderr) == (0, "", "")
    assert "!Ref" in as_yaml.stdout
    assert cfn_yaml.loads(as_yaml.stdout) == json.loads(as_json.stdout)


def test_template_is_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    done = run(*SERVICE, "-o", str(file))

    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text() == run(*SERVICE).stdout


def test_values_may_be_json() -> None:
    done = run(*SERVICE, "--max-size", '{"Ref": "Most"}', "--env", "A=1", "--env", "B=x=y")

    made = json.loads(done.stdout)["Resources"]
    assert made["WatchbotScalableTarget"]["Properties"]["MaxCapacity"] == {"Ref": "Most"}
    (container,) = made["WatchbotTaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert {"Name": "B", "Value": "x=y"} in container["Environment"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*SERVICE, "--min-size", "3"), "--min-size (WATCHBOT_MIN_SIZE): must be at most"),
        ((*SERVICE, "--prefix", "a-b"), "--prefix (WATCHBOT_PREFIX): must be letters"),
        ((*SERVICE, "--format", "xml"), "'xml' is not one of 'json', 'yaml'"),
        ((*SERVICE, "-o", "/nowhere/stack"), "/nowhere/stack cannot be written: No such file"),
        ((*SERVICE, "-o", "/"), "--output: / cannot be written: Is a directory"),
        (SERVICE[2:], "--service (WATCHBOT_SERVICE): is missing"),
        (SERVICE[:4], "--command (WATCHBOT_COMMAND): is missing"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], said: str) -> None:
    done = run(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


WITHOUT = "import sys; sys.modules['troposphere'] = None; "


def test_package_is_imported_without_the_extra() -> None:
    assert python(WITHOUT + "import watchbot; print(watchbot.log.__name__)") == "log\n"
    loaded = "import sys, watchbot; print('troposphere' in sys.modules)"
    assert python(loaded) == "False\n"


def test_missing_extra_is_named() -> None:
    for wanted in ("watchbot.template({})", "watchbot.merge()"):
        assert python(WITHOUT + f"import watchbot; {wanted}") == (
            "watchbot.errors.MissingExtra: "
            f"watchbot template needs more packages: {how_to_add('template')}"
        )


def test_template_can_be_called_whatever_was_imported_before() -> None:
    made = "made = watchbot.template({'service': 'x', 'image': 'x', 'command': 'x'}); "
    for first in ("watchbot", "watchbot.template", "watchbot.template.alarms"):
        script = f"import {first}; {made} print(len(watchbot.merge(made, made)))"
        assert python(script) == "5\n"
