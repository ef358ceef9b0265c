"""Tests the standalone build where no Python is, nor any C library, and nothing can be written."""

import ast
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.support.bare_root import BareRoot
from tests.support.building import ROOT, made
from tests.support.cloud import Cloud
from tests.support.dockerfile import stages
from watchbot import __version__

IMAGES = ROOT / "examples/image"
FILES = sorted(IMAGES.glob("Dockerfile.[nu]*"))
MOST_BYTES = 90_000_000
NAME = f"watchbot-{__version__}-linux-{platform.machine()}"
# What an embedded AWS and CDK need is not in this build.
NOT_THERE = ("local", "chaos", "cdk", "__main__")
IMPORT = """\
import importlib, sys
for name in sys.stdin.read().split():
    importlib.import_module(name)
print("all imported")
"""


def imported() -> set[str]:
    """All modules of the package, and all that these import, at their top or where they need it."""
    found = set()
    for file in (ROOT / "watchbot").rglob("*.py"):
        place = file.relative_to(ROOT / "watchbot")
        if place.with_suffix("").parts[0] in NOT_THERE:
            continue
        found.add(".".join(("watchbot", *place.with_suffix("").parts)).removesuffix(".__init__"))
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    lacking = tuple(f"watchbot.{name}" for name in NOT_THERE)
    return {name for name in found if not name.startswith(lacking)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux" or shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("the standalone build needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("standalone")
    made(sys.executable, "-m", "release.standalone", folder)
    return folder / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def root(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> BareRoot:
    root = BareRoot(tmp_path_factory.mktemp("bare") / "root")
    with tarfile.open(archive) as packed:
        packed.extractall(root.path / "opt", filter="data")
    return root


def test_archive_is_small_and_says_nothing_of_its_maker(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        entries = packed.getmembers()

    assert sum(entry.size for entry in entries) < MOST_BYTES
    assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry in entries} == {
        (0, 0, "", 0)
    }
    names = {entry.name for entry in entries}
    assert {"watchbot/bin/watchbot", "watchbot/bin/watchbot-log", "watchbot/lib/ld.so"} <= names
    # Whatever is not compiled would be compiled at each start.
    assert {cache_from_source(name) for name in names if name.endswith(".py")} <= names


def test_every_module_is_there_and_what_it_imports(archive: Path) -> None:
    python = archive.with_name(NAME) / "bin/python"

    done = subprocess.run(
        [python, "-I", "-c", IMPORT], input=" ".join(imported()), env={}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "all imported\n"), done.stderr


def test_start_imports_no_more_than_that_of_the_package(archive: Path) -> None:
    ask = "import anyio, anyio.abc, sys; print(*sorted(sys.modules.keys() & sys.argv[1:]))"
    parts = [f"anyio.{name}" for name in ("_core", "_core._tasks", "abc._streams", "from_thread")]
    python = archive.with_name(NAME) / "bin/python"

    package, standalone = (
        subprocess.run([each, "-I", "-c", ask, *parts], check=True, capture_output=True, text=True)
        for each in (sys.executable, python)
    )

    assert standalone.stdout == package.stdout


def test_it_runs_where_no_python_is(root: BareRoot) -> None:
    said = root.run("watchbot", "--version")
    logged = root.run("watchbot-log", "--level", "error", "a line", MessageId="m1")

    assert (said.stdout, said.stderr) == (f"watchbot {__version__}\n", "")
    assert logged.stdout.endswith("[worker] [m1] [error] a line\n")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_image_works_where_no_more_is_than_its_own_program(
    root: BareRoot, cloud: Cloud, file: Path, tmp_path: Path
) -> None:
    (image,) = stages(file)
    queue = cloud.queue("image")
    cloud.send(queue, "hello")
    if "node" in file.name:
        if (node := shutil.which("node")) is None:
            pytest.skip("no node here")
        bare, root = root, BareRoot(tmp_path / "root")
        shutil.copytree(
            bare.path / "opt", root.path / "opt", True, copy_function=os.link, dirs_exist_ok=True
        )
        root.add(node)
    for source, target in (step.split() for step in image.of("COPY") if "--from" not in step):
        (root.path / target.lstrip("/")).parent.mkdir(exist_ok=True)
        shutil.copy(IMAGES / source, root.path / target.lstrip("/"))
    words = json.loads(image.last("ENTRYPOINT")) + json.loads(image.last("CMD"))
    variables = {name: cloud.environment[name] for name in cloud.environment if "AWS" in name}
    once = {"WATCHBOT_EXIT_WHEN_EMPTY": "true", "WATCHBOT_POLL_WAIT": "1", "QueueUrl": queue}

    done = root.run(*words, **variables, **once)

    assert done.returncode == 0, done.stderr
    assert "working on hello" in done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_image_copies_what_the_build_has(file: Path, archive: Path) -> None:
    (image,) = stages(file)
    (copied,) = (step.split() for step in image.of("COPY") if "--from" in step)
    path = image.last("ENV").split()[0]

    assert copied == ["--from=watchbot-standalone:1", "/opt/watchbot", "/opt/watchbot"]
    assert path == "PATH=/opt/watchbot/bin:$PATH"
    (built,) = (stage for stage in stages(ROOT / "Dockerfile") if stage.name == "standalone")
    assert built.last("COPY").endswith(" /opt/watchbot /opt/watchbot")
    with tarfile.open(archive) as packed:
        assert packed.getmember("watchbot/bin/watchbot").mode == 0o755


def test_watcher_and_worker_share_no_library(root: BareRoot, cloud: Cloud) -> None:
    queue = cloud.queue("standalone")
    cloud.send(queue, "hello")
    variables = {name: cloud.environment[name] for name in cloud.environment if "AWS" in name}

    done = root.run(
        "watchbot", "listen", "--queue-url", queue, "--exit-when-empty", "--poll-wait", "1",
        'echo "got $Message from $(cat /proc/$PPID/comm)"; echo "a word" | watchbot-log; env',
        **variables, LD_PRELOAD="/lib/libjemalloc.so.2", PYTHONPATH="/srv", PYTHONHOME="/nowhere",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "got hello from watchbot" in done.stdout
    assert "[worker]" in done.stdout
    assert "LD_PRELOAD=/lib/libjemalloc.so.2" in done.stdout
    assert "PYTHONHOME=/nowhere" in done.stdout
    assert "LD_LIBRARY_PATH" not in done.stdout
    assert "WATCHBOT_STANDALONE" not in done.stdout
    assert cloud.depth(queue) == (0, 0)


def test_health_is_asked_without_a_shell(root: BareRoot) -> None:
    done = root.run("watchbot", "healthcheck", "--port", "1")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_link_to_it_may_have_any_name(root: BareRoot) -> None:
    (root.path / "bin/wb").symlink_to("/opt/watchbot/bin/watchbot")

    done = root.run("wb", "--version")

    assert done.stdout == f"watchbot {__version__}\n"


def test_program_without_its_directory_says_so(root: BareRoot) -> None:
    shutil.copy(root.path / "opt/watchbot/bin/watchbot", root.path / "bin/alone")

    done = root.run("alone", "--version")

    assert done.returncode == 1
    assert "copy the whole directory of the standalone build" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_extra_it_lacks_is_told(root: BareRoot) -> None:
    done = root.run("watchbot", "local", "true")

    assert done.returncode == 2
    assert "standalone build is made without them" in done.stderr
    assert len(done.stderr.splitlines()) == 1
