"""The directory of a watcher: nobody else takes it for a dead one's while the watcher lives."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from watchbot.listen.claim import abandoned, claimed
from watchbot.listen.workspace import open_workspace


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's temporary directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_directory_is_abandoned_once_its_lock_is_gone() -> None:
    with claimed() as path:
        while_it_lives = list(abandoned())

    assert while_it_lives == []
    assert list(abandoned()) == [path]


def test_directory_is_held_by_whoever_inherits_its_lock() -> None:
    with claimed() as path:
        (lock,) = [
            int(file) for file in os.listdir("/proc/self/fd")
            if os.path.realpath(f"/proc/self/fd/{file}") == path
        ]  # fmt: skip
        inherited = os.dup(lock)
        passed_on = os.get_inheritable(lock)

    assert passed_on
    assert list(abandoned()) == []
    os.close(inherited)
    assert list(abandoned()) == [path]


def test_one_watcher_at_a_time_looks_at_what_is_abandoned() -> None:
    with claimed():
        pass

    assert [list(abandoned()) for _ in abandoned()] == [[]]


def test_nothing_else_is_abandoned(temporary: Path) -> None:
    with claimed() as path:
        pass
    name = Path(path).name
    aside = shutil.move(path, temporary / "aside")
    (temporary / f"1{name}").symlink_to(aside)
    (temporary / f"watchbot-1{name}").symlink_to(aside)
    (temporary / f"watchbot-2{name}").touch()
    (temporary / "watchbot-of-another-machine.00000000").mkdir()
    (temporary / "watchbot-just-made").mkdir()

    assert list(abandoned()) == []


def test_workspace_begins_with_the_end_of_dead_ones(temporary: Path) -> None:
    with claimed() as dead:
        (Path(dead) / "1").mkdir()
        (Path(dead) / "1" / "part").touch()

    with open_workspace(()):
        (own,) = temporary.iterdir()

    assert str(own) != dead
    assert list(temporary.iterdir()) == []


def test_workspace_that_is_gone_already_changes_nothing_around_it(temporary: Path) -> None:
    temporary.chmod(0o1777)

    with open_workspace(()):
        (own,) = temporary.iterdir()
        own.rmdir()

    assert temporary.stat().st_mode & 0o7777 == 0o1777
