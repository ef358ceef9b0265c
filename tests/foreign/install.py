"""Installs the foreign servers, each in an environment of its own; `make foreign` runs it.

A server that cannot be installed is no failure: its tests are skipped, with the reason.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.foreign.servers import SERVERS, Server

BOUND_S = 900
PIP = ("-m", "pip", "--disable-pip-version-check", "--retries", "1", "--quiet")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional")


class Failed(Exception):
    """It cannot be installed, and why."""


def install(server: Server) -> None:
    """Makes the server's environment anew. Raises `Failed`."""
    shutil.rmtree(server.home, ignore_errors=True)
    if server.pins.is_dir():
        shutil.copytree(server.pins, server.home)
        _run(server.home, *NPM)
    else:
        venv.create(server.home, with_pip=True)
        python = str(server.home / "bin" / "python")
        _run(server.home, python, *PIP, "install", "--no-deps", "--requirement", str(server.pins))
    server.mark.write_text(server.wanted())


def _run(folder: Path, *words: str) -> None:
    if shutil.which(words[0]) is None:
        raise Failed(f"no {words[0]} on this machine")
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=BOUND_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{words[0]} did not end within {BOUND_S} s") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "rror" in line] or ["it failed"]
        raise Failed(said[-1].strip())


def main() -> int:
    """Installs what is missing, and says what is not to be had."""
    for server in SERVERS.values():
        if server.missing() is None:
            continue
        sys.stdout.write(f"Installing {server.name} in {server.home.name} ...\n")
        sys.stdout.flush()
        try:
            install(server)
        except Failed as failed:
            server.home.mkdir(parents=True, exist_ok=True)
            server.why.write_text(str(failed))
            sys.stdout.write(f"going on without {server.name}, its tests are skipped: {failed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
