"""A root directory that holds busybox and what a test puts there: no Python, no C library."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

# All of it is read-only but /tmp, as a container with a read-only root has it.
ENTER = """\
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /proc "$root/proc"
mount --bind /dev/null "$root/dev/null"
exec chroot "$root" "$@"
"""


class BareRoot:
    """Runs programs in namespaces of their own, whose root is `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("bin", "dev", "opt", "proc", "tmp"):
            (path / folder).mkdir(parents=True)
        (path / "dev/null").touch()
        shutil.copy(_busybox(), path / "bin/busybox")
        for name in ("cat", "env", "ls", "sh"):
            (path / "bin" / name).symlink_to("busybox")

    def add(self, program: str) -> None:
        """Copies a program of this machine to /bin, and its libraries to their places."""
        shutil.copy(program, self.path / "bin")
        done = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)
        for library in re.findall(r"(/\S+) \(0x", done.stdout):
            place = self.path / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)

    def run(self, *words: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        entering = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", ENTER]
        return subprocess.run(
            [*entering, "sh", self.path, "/bin/env", "-i", *_pairs(env), *words],
            input=said, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


def _pairs(env: dict[str, str]) -> list[str]:
    plain = {"PATH": "/opt/watchbot/bin:/bin", **env}
    return [f"{name}={value}" for name, value in plain.items()]


def _busybox() -> str:
    """A busybox that needs no C library."""
    found = shutil.which("busybox")
    if found is None or b"ld-linux" in Path(found).read_bytes()[:65536]:
        pytest.skip("no static busybox here: install busybox-static")
    entering = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    if subprocess.run(entering, check=False, capture_output=True).returncode:
        pytest.skip(f"user {os.getuid()} may make no namespaces here")
    return found
