"""Completion, as a user's own shell shows it after Tab."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.support.cloud import BIN

START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "--interactive"],
}
READY = {
    "bash": 'eval "$(watchbot completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(watchbot completion zsh)"',
    "fish": "watchbot completion fish | source",
}
SHELLS = [
    pytest.param(
        shell, marks=pytest.mark.skipif(not shutil.which(shell), reason=f"no {shell} here")
    )
    for shell in START
]


@contextmanager
def shell_with_completion(shell: str, home: Path) -> Iterator[pexpect.spawn]:
    """A shell at a terminal that has read the script."""
    told = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb"}
    program = pexpect.spawn(
        shell, START[shell], env=told, cwd=str(home), encoding="utf-8", timeout=30
    )
    try:
        program.sendline(f"{READY[shell]}; echo rea''dy")
        program.expect(r"\nready|\rready|[^']ready")
        yield program
    finally:
        program.close(force=True)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("watchbot dead", "-letter"),
        ("watchbot listen --max-at", "tempts"),
        ("watchbot listen --warm la", "mbda"),
        ("watchbot listen ./wo", "rk.sh"),
        ("watchbot local --send-file ./wo", "rk.sh"),
    ],
)
def test_tab_completes_commands_options_values_and_files(
    shell: str, typed: str, rest: str, tmp_path: Path
) -> None:
    (tmp_path / "work.sh").touch()

    with shell_with_completion(shell, tmp_path) as terminal:
        terminal.send(f"{typed}\t")
        terminal.expect_exact(rest)


def test_shell_of_another_name_is_refused_in_one_line() -> None:
    said = subprocess.run(
        [BIN / "watchbot", "completion", "tcsh"], capture_output=True, text=True, check=False
    )

    assert said.returncode == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in said.stderr
    assert said.stderr.count("\n") == 1
