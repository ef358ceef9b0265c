"""What CI runs, where the machine lacks something."""

import shutil
import subprocess
from pathlib import Path

from tests.support.building import ROOT


def program(folder: Path, name: str, *lines: str) -> None:
    file = folder / name
    file.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    file.chmod(0o755)


def test_package_that_is_not_known_keeps_no_other_from_being_installed(tmp_path: Path) -> None:
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    for name in ("bash", "dirname", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    program(programs, "id", "echo 0")
    program(programs, "make", f'echo "make $*" >> {log}')
    program(programs, "apt-get", f'echo "$*" >> {log}', '[[ "$*" != *chromium* ]]')
    script = tmp_path / "checkout/.ci/run"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", script)

    done = subprocess.run(
        [script], env={"PATH": str(programs)}, capture_output=True, text=True, check=True
    )

    lines = log.read_text().splitlines()
    assert "install -y --no-install-recommends zsh" in lines
    assert lines[-1] == "make test"
    assert done.stderr == "going on without chromium: its tests are skipped\n"
