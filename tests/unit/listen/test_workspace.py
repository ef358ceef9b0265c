"""The workspace deletes a worker's files, but nothing behind its links."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from tests.support.crowded import no_room_for_threads
from watchbot.listen.workspace import open_workspace


@pytest.fixture
def victim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that no worker was given; the machine's temporary one is beside it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (victim / "kept").touch()
    return victim


def untouched(victim: Path) -> bool:
    return stat.S_IMODE(victim.stat().st_mode) == 0o755 and os.listdir(victim) == ["kept"]


def after_a_job(work: Callable[[Path], None], *volumes: Path) -> bool:
    """Whether the scratch directory of a job, or what is in its place, is left after it."""
    return anyio.run(_after_a_job, work, volumes)


async def _after_a_job(work: Callable[[Path], None], volumes: tuple[Path, ...]) -> bool:
    with open_workspace(volumes) as workspace:
        async with workspace.job() as scratch:
            work(Path(scratch))
        return await anyio.Path(scratch).is_symlink() or await anyio.Path(scratch).exists()


def test_link_in_the_place_of_the_scratch_directory_is_deleted_alone(victim: Path) -> None:
    def replace(scratch: Path) -> None:
        scratch.rmdir()
        scratch.symlink_to(victim)

    assert not after_a_job(replace)
    assert untouched(victim)


def test_links_below_the_scratch_directory_are_deleted_alone(victim: Path) -> None:
    def fill(scratch: Path) -> None:
        (scratch / "inner").mkdir()
        (scratch / "inner" / "link").symlink_to(victim)
        (scratch / "inner").chmod(0o500)

    assert not after_a_job(fill)
    assert untouched(victim)


def test_link_in_the_place_of_the_watcher_s_directory_is_deleted_alone(victim: Path) -> None:
    def replace(scratch: Path) -> None:
        scratch.parent.rename(victim.parent / "moved")
        scratch.parent.symlink_to(victim)

    after_a_job(replace)

    assert untouched(victim)


def test_link_in_the_place_of_a_volume_is_not_followed(victim: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    def replace(_: Path) -> None:
        volume.rmdir()
        volume.symlink_to(victim)

    after_a_job(replace, volume)

    assert untouched(victim)


def test_link_above_a_volume_is_not_followed(victim: Path, tmp_path: Path) -> None:
    volume = tmp_path / "above" / "volume"
    volume.mkdir(parents=True)
    (victim / "volume").mkdir()
    (victim / "volume" / "file").touch()

    def replace(_: Path) -> None:
        volume.rmdir()
        volume.parent.rmdir()
        volume.parent.symlink_to(victim)

    after_a_job(replace, volume)

    assert (victim / "volume" / "file").exists()


def test_directory_that_its_owner_may_not_write_to_is_deleted(victim: Path) -> None:
    def close(scratch: Path) -> None:
        (scratch / "closed").mkdir()
        (scratch / "closed" / "file").touch()
        (scratch / "closed").chmod(0)

    assert not after_a_job(close)
    assert untouched(victim)


@pytest.mark.parametrize("stays", [True, False], ids=["worker that stays", "job"])
async def test_machine_without_room_for_a_thread_fails_no_run(
    victim: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, stays: bool
) -> None:
    no_room_for_threads(monkeypatch)

    with open_workspace(()) as workspace:
        async with workspace.job() as scratch:
            os.mkdir(f"{scratch}/left")
            if stays:
                await workspace.tidy(scratch)
                os.rmdir(f"{scratch}/left")

    assert [record.message for record in caplog.records] == ["not cleaned"]
