"""What `watchbot chaos` finds in good commands and in bad ones."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import BIN

FEW = ("--messages", "5", "--no-odd", "--seed", "7")

GOOD = """
sleep 0.1
name=$(printf %s "$Message" | cksum | cut -d' ' -f1)
printf %s "$Message" > "$TMPDIR/new"
mv "$TMPDIR/new" "$WATCHBOT_CHAOS_DIR/$name"
"""

BAD = """
trap '' TERM
mkdir "$WATCHBOT_CHAOS_DIR/lock-$MessageId" || { echo "somebody is at it"; exit 1; }
echo "$Message" >> "$WATCHBOT_CHAOS_DIR/log"
setsid sleep 600 &
sleep 0.2
: > "$WATCHBOT_CHAOS_DIR/part.$$"
sleep 0.2
rm "$WATCHBOT_CHAOS_DIR/part.$$"
rmdir "$WATCHBOT_CHAOS_DIR/lock-$MessageId"
"""

LEAKING = """
kept = []
import os, sys
for line in sys.stdin:
    kept.append("x" * 100_000)
    os.write(3, b"0\\n")
"""


def chaos(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "watchbot"), "chaos", *words],
        cwd=tmp_path,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The level of each finding, by the first two words of its question."""
    facts: Mapping[str, Any] = json.loads(done.stdout)
    findings: Sequence[Mapping[str, str]] = facts["findings"]
    return {" ".join(each["question"].split()[:2]): each["level"] for each in findings}


def test_idempotent_command_passes(tmp_path: Path) -> None:
    check = 'cd "$WATCHBOT_CHAOS_DIR" && cksum *'

    done = chaos(tmp_path, *FEW, "--check", check, "--", GOOD)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("chaos, seed 7: 5 messages, ")
    assert "the effect is that of the calm round\n" in done.stdout
    assert "FOUND" not in done.stdout


def test_every_fault_of_a_bad_command_is_found(tmp_path: Path) -> None:
    check = 'sort "$WATCHBOT_CHAOS_DIR/log"'

    few = ("--messages", "5", "--no-odd", "--seed", "22", "--kill-grace", "0.2")

    done = chaos(tmp_path, *few, "--json", "--check", check, "--", BAD)

    assert done.returncode == 1, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    answers = {each["question"]: each for each in facts["findings"]}
    assert facts["passed"] is False
    assert {question: each["level"] for question, each in answers.items()} == {
        "bears to run twice for one message": "found",
        "gets through after a disturbance": "found",
        "ends on SIGTERM": "found",
        "leaves no process": "found",
        "leaves no file of a run that was cut short": "note",
    }
    assert any("sleep" in line for line in answers["leaves no process"]["evidence"])
    stuck = answers["gets through after a disturbance"]["evidence"]
    assert any("it said: somebody is at it" in line for line in stuck)
    assert {run["fault"] for run in facts["runs"]} >= {"twice", "at once", "killed"}


def test_worker_that_stays_is_tried_and_its_leak_is_found(tmp_path: Path) -> None:
    (tmp_path / "leaking.py").write_text(LEAKING)
    words = ("--warm", "lines", "--leak-runs", "400", "--json")

    done = chaos(tmp_path, *FEW, *words, "--", "python3", "-S", "leaking.py")

    assert done.returncode == 1, done.stdout + done.stderr
    assert found(done)["keeps its"] == "found"
    assert found(done)["gets through"] == "ok"


def test_odd_messages_find_a_shell_in_the_command(tmp_path: Path) -> None:
    done = chaos(tmp_path, "--messages", "1", "--", 'eval "echo $Message" || true')

    assert done.returncode == 1
    assert "FOUND  bears odd messages: it runs what is in a message" in done.stdout


def test_interrupt_ends_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    with subprocess.Popen(
        [str(BIN / "watchbot"), "chaos", "--", "echo it > begun; sleep 600"],
        cwd=tmp_path,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        begun.read_text()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]

    assert process.returncode == 130
    assert said == ""


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("./work.sh",),
            "COMMAND is missing; give it after --, as in: watchbot chaos -- ./work.sh",
        ),
        (("--", "no-such"), "cannot run 'no-such'"),
        (("--concurrency", "1", "--", "true"), "must be at least 2, not 1"),
        (("--send-file", "/none", "--", "true"), "is no file that can be read"),
        (
            (*FEW, "--", "echo why; exit 1"),
            "does no message undisturbed; the first ended with exit",
        ),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    done = chaos(tmp_path, *words)

    assert done.returncode == 2, done.stdout
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
