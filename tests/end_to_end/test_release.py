"""Tests the release files: the wheel, the source distribution, and the one-file binary."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.building import PYTHON, ROOT, made
from tests.support.cloud import BIN, Cloud
from tests.support.programs import served
from watchbot import __version__


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pyz")
    made(sys.executable, "-m", "release.pyz", folder)
    (found,) = folder.iterdir()
    return found


def run(binary: Path, *words: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the binary on a machine that has Python, and nothing else."""
    return subprocess.run(
        [PYTHON, "-I", binary, *words], env=env, input=said, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_wheel_and_source_hold_the_package_and_pass_the_check(tmp_path: Path) -> None:
    made(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path)

    wheel, source = sorted(tmp_path.iterdir(), key=lambda path: path.suffix, reverse=True)
    made(BIN / "twine", "check", "--strict", wheel, source)
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "watchbot").rglob("*.*")}
    package = {name for name in package if "__pycache__" not in name}
    assert package <= names
    assert "watchbot/py.typed" in names
    with tarfile.open(source) as archive:
        assert f"watchbot_sqs-{__version__}/LICENSE" in archive.getnames()


def test_binary_needs_nothing_but_python(binary: Path, tmp_path: Path) -> None:
    said = run(binary, "--version", HOME=str(tmp_path))

    assert said.stdout == f"watchbot {__version__}\n"
    assert said.stderr == ""
    assert list((tmp_path / ".cache/watchbot").iterdir())


def test_binary_works_on_a_queue(cloud: Cloud, binary: Path, tmp_path: Path) -> None:
    queue = cloud.queue("binary")
    cloud.send(queue, "hello")

    done = run(
        binary, "listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1",
        'echo "got $Message"', HOME=str(tmp_path), **cloud.environment,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "got hello" in done.stdout
    assert cloud.depth(queue) == (0, 0)


def test_binary_says_what_to_do_about_what_it_is_made_without(binary: Path, tmp_path: Path) -> None:
    done = run(binary, "local", "true", HOME=str(tmp_path))

    assert done.returncode == 2
    assert done.stderr.endswith(
        "this one-file binary is made without them; install the package instead: "
        "pip install 'watchbot-sqs[local]'\n"
    )
    assert len(done.stderr.splitlines()) == 1


def test_binary_logs(binary: Path, tmp_path: Path) -> None:
    done = run(binary, "log", "--level", "error", said="a\nb\n", HOME=str(tmp_path), MessageId="m1")

    assert [line.partition(" GMT] ")[2] for line in done.stdout.splitlines()] == [
        "[worker] [m1] [error] a",
        "[worker] [m1] [error] b",
    ]


def test_binary_unpacks_where_it_may(binary: Path, tmp_path: Path) -> None:
    home = tmp_path / "no-directory"
    home.write_text("")
    cache = tmp_path / "cache"

    chosen = run(binary, "--version", HOME=str(home), WATCHBOT_CACHE=str(cache))
    temporary = run(binary, "--version", HOME=str(home), TMPDIR=str(tmp_path))

    assert chosen.returncode == temporary.returncode == 0
    assert len(list(cache.iterdir())) == 1
    assert len(list(tmp_path.glob("watchbot-cache-*/*"))) == 1


def test_binary_survives_the_emptying_of_the_volume_that_holds_it(
    cloud: Cloud, binary: Path, tmp_path: Path
) -> None:
    queue, volume = cloud.queue("binary-volume"), tmp_path / "tmp"
    volume.mkdir()
    own = shutil.copy(binary, volume)
    cloud.send_many(queue, ["a", "b"])
    env = {**cloud.environment, "HOME": str(binary), "TMPDIR": str(volume)}

    done = run(
        Path(own), "listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1",
        "--volumes", str(volume), f"ls -A {volume}; touch {volume}/left", **env,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("completed") == 2
    assert "left" not in done.stdout
    (cache,) = volume.glob("watchbot-cache-*")
    assert sorted(path.name for path in volume.iterdir()) == sorted([binary.name, cache.name])
    assert (next(cache.iterdir()) / "watchbot/cli/__init__.py").exists()


def test_healthcheck_of_the_binary_unpacks_nothing(
    cloud: Cloud, binary: Path, tmp_path: Path
) -> None:
    elsewhere = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}

    with served(cloud, cloud.queue("binary-health"), "true") as (_, url):
        (port,) = re.findall(r":(\d+)/", url)
        well = run(binary, "healthcheck", "--port", port, **elsewhere)
        by_variable = run(binary, "healthcheck", **elsewhere, WATCHBOT_METRICS_PORT=port)
    bad = run(binary, "healthcheck", "--port", "x", **elsewhere)

    assert (well.returncode, well.stdout, well.stderr) == (0, "healthcheck: ok\n", "")
    assert by_variable.returncode == 0
    assert bad.returncode == 2
    assert "--metrics-port (WATCHBOT_METRICS_PORT): must be" in bad.stderr
    assert list(tmp_path.iterdir()) == []


def test_binary_runs_nothing_from_where_others_may_write(binary: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)

    done = run(binary, "--version", WATCHBOT_CACHE=str(cache))

    assert done.returncode == 1
    assert "others may write there" in done.stderr
    assert "WATCHBOT_CACHE" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_builds_are_the_same(binary: Path, tmp_path: Path) -> None:
    made(sys.executable, "-m", "release.pyz", tmp_path)

    assert (tmp_path / binary.name).read_bytes() == binary.read_bytes()
