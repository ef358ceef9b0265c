"""A volume is emptied after each job; what is ours in it stays."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import pytest

from tests.support.cloud import BIN, Cloud
from tests.support.programs import read_until

OURS = [
    "ca/bundle.pem",
    "home/.aws/config",
    "home/.aws/sso/cache/t.json",
    "sso/token",  # named in the file of AWS's settings
    "home/.cache/watchbot/1/code",
    "watchbot-cache-4711/1/code",  # another user's one-file binary unpacks there
    "releases/2/lib/library.py",
    "app/work.sh",
    "inner/volume/",
]
OTHERS = [
    *("ca/x", "home/.cache/pip/x", "releases/2/x", "releases/1/x", "app/x", "inner/x", "sso/x"),
    *("inner/volume/x", "watchbot-cache/x", "watchbot-x", "x/y/z"),
]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A directory with all of that in it."""
    volume = tmp_path / "tmp"
    for name in (*OURS, *OTHERS):
        path = volume / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    (volume / "current").symlink_to("releases/2")
    (volume / "other").symlink_to("releases/1")
    shutil.copy(certifi.where(), volume / "ca/bundle.pem")
    named = f"[default]\nweb_identity_token_file = {volume}/sso/token\n"
    (volume / "home/.aws/config").write_text(named)
    return volume


def variables(volume: Path) -> dict[str, str]:
    return {
        "TMPDIR": str(volume),
        "HOME": str(volume / "home"),
        "AWS_CONFIG_FILE": str(volume / "home/.aws/config"),
        "AWS_CA_BUNDLE": str(volume / "ca/bundle.pem"),
        "PYTHONPATH": str(volume / "current/lib"),
    }


@contextmanager
def watcher_beside(cloud: Cloud, volume: Path) -> Iterator[Path]:
    """The directory of another watcher, which lives while the block does."""
    words = ("listen", "--queue-url", cloud.queue("beside"), "--poll-wait", "1", "true")
    with cloud.started(*words, env={"TMPDIR": str(volume)}) as beside:
        read_until(beside, "started")
        (directory,) = (path for path in volume.glob("watchbot-????????.*") if path.is_dir())
        yield directory
        beside.terminate()
        beside.wait(timeout=30)


def test_emptied_volume_keeps_what_is_ours(cloud: Cloud, volume: Path) -> None:
    queue = cloud.queue("ours")
    cloud.send_many(queue, ["a", "b"])
    work = volume / "app/work.sh"
    work.write_text(f'ls -d $WATCHBOT_SCRATCH; touch {volume}/made; echo "run $Message"\n')
    work.chmod(0o755)
    both = f"{volume},{volume}/inner/volume"

    with watcher_beside(cloud, volume) as living:
        done = cloud.listen(queue, "--volumes", both, str(work), env=variables(volume))
        is_kept = living.is_dir()

    assert done.stdout.count("] run ") == 2, done.stdout + done.stderr
    assert is_kept
    assert [name for name in OURS if not (volume / name).exists()] == []
    assert [name for name in OTHERS if (volume / name).exists()] == []
    assert (volume / "current/lib/library.py").exists()
    assert not (volume / "other").is_symlink()
    assert not (volume / "made").exists()


def test_directory_that_the_watcher_works_in_stays_and_is_emptied(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue, work = cloud.queue("works-in"), tmp_path / "tmp/work"
    work.mkdir(parents=True)
    cloud.send_many(queue, ["a", "b"])
    options = f"--exit-when-empty --poll-wait 1 --volumes {work.parent} --queue-url {queue}"

    done = subprocess.run(
        [BIN / "watchbot", "listen", *options.split(), "pwd; ls; touch left"],
        cwd=work, env=cloud.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.count(f"] {work}\n") == 2
    assert "] left" not in done.stdout
    assert list(work.iterdir()) == []
