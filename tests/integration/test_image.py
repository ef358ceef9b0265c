"""The images: their rules, read from the files; their steps, taken in a fresh environment.

No engine is needed that builds them.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dockerfile import Stage, stages

ROOT = Path(__file__).parents[2]
OURS = ROOT / "Dockerfile"
EXAMPLES = sorted((ROOT / "examples/image").glob("Dockerfile*"))


def shown(file: Path) -> list[Stage]:
    """The stages that are images of their own: those that say what they run."""
    return [stage for stage in stages(file) if stage.of("ENTRYPOINT")]


IMAGES = [
    pytest.param(stage, id=f"{file.relative_to(ROOT)}-{stage.name}")
    for file in (OURS, *EXAMPLES)
    for stage in shown(file)
]


def test_what_is_built_by_default_listens() -> None:
    by_name = {stage.name: stage for stage in shown(OURS)}

    assert set(by_name) == {"listen", "services"}
    assert stages(OURS)[-1].name == "listen"
    assert json.loads(by_name["listen"].last("ENTRYPOINT")) == ["watchbot", "listen"]
    assert json.loads(by_name["services"].last("ENTRYPOINT")) == ["watchbot"]
    for stage in by_name.values():
        assert {"org.opencontainers.image.title", "org.opencontainers.image.licenses"} <= {
            word.split("=")[0] for word in shlex.split(stage.last("LABEL"))
        }
        assert "WATCHBOT_METRICS_PORT=9090" in stage.last("ENV")
        assert stage.of("EXPOSE") == ["9090"]
        assert stage.base.endswith("-slim")


@pytest.mark.parametrize("stage", IMAGES)
def test_image_keeps_the_rules(stage: Stage) -> None:
    user, *_ = stage.last("USER").split(":")
    health = stage.last("HEALTHCHECK").partition("CMD ")[2]

    assert int(user) > 0  # a number, which Kubernetes can tell from root
    # No shell stands before it: signals arrive, and it is process 1.
    assert json.loads(stage.last("ENTRYPOINT"))[0] == "watchbot"
    assert json.loads(health) == ["watchbot", "healthcheck"]
    assert all(isinstance(json.loads(words), list) for words in stage.of("CMD"))
    assert stage.of("ADD") == []
    assert any("--from=" in copied for copied in stage.of("COPY"))  # what built it stays behind


@pytest.mark.parametrize("file", [OURS, *EXAMPLES], ids=lambda file: file.name)
def test_bases_and_installs_are_tidy(file: Path) -> None:
    for stage in stages(file):
        known = {"scratch", *(each.name for each in stages(file))}
        assert ":" in stage.base or stage.base in known
        assert ":latest" not in stage.base
        for step in stage.of("RUN"):
            assert "pip install" not in step or "--no-cache-dir" in step
            assert "apt-get install" not in step or "--no-install-recommends" in step
            assert "sudo" not in step


def test_steps_of_the_build_make_a_working_program(tmp_path: Path) -> None:
    (build,) = (stage for stage in stages(OURS) if stage.name == "build")
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for copied in build.of("COPY"):
        *names, _ = copied.split()
        for name in names:
            where = source / name
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, where, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, where)
    for step in build.of("RUN"):
        here = re.sub(r"^python ", f"{sys.executable} ", step).replace("/opt", str(target))
        done = subprocess.run(
            ["sh", "-ec", here],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr

    (mark,) = target.glob("watchbot/lib/*/site-packages/watchbot/installed_as")
    assert mark.read_text() == "image\n"
    program = target / "watchbot/bin/watchbot"
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    helped = subprocess.run(
        [program, "listen", "--help"], env=variables, capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
    assert "Run COMMAND for every message of a queue." in helped.stdout
    assert helped.stderr == ""
