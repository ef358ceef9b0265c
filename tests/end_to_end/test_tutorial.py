"""The tutorial's last worker books each message once, wherever it is killed."""

import re
import subprocess
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-worker.md"
# bash runs this before each command of the script, in command substitutions, too.
KILL_AT = "set -T; trap '[ $((step += 1)) -ne $KILL_AT ] || kill -9 $$' DEBUG; . ./book.sh"


def last_worker() -> str:
    scripts: list[str] = re.findall(r"cat > book.sh <<'END'\n(.*?)\nEND\n", PAGE.read_text(), re.S)
    return scripts[-1]


def run(folder: Path, kill_at: int) -> int:
    """The exit code of the worker, killed before that command; -9 when it came so far."""
    variables = {
        "PATH": "/usr/bin:/bin", "Message": "bob 5", "MessageId": "m1", "KILL_AT": str(kill_at),
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-c", KILL_AT], cwd=folder, env=variables, stdout=subprocess.DEVNULL,
        timeout=30, check=False,
    ).returncode  # fmt: skip


def test_worker_killed_before_any_of_its_commands_books_once(tmp_path: Path) -> None:
    kills = 0
    for kill_at in range(1, 100):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        (folder / "book.sh").write_text(last_worker())
        (folder / "bob").write_text("balance 1\ndone m0\n")

        killed = run(folder, kill_at) == -9
        assert run(folder, 0) == 0

        assert (folder / "bob").read_text() == "balance 6\ndone m0\ndone m1\n", f"at {kill_at}"
        kills += killed
        if not killed:
            break
    assert kills > 10
