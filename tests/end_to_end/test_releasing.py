"""The steps of a release: notes, trials, checksums, and the workflow that takes them."""

import json
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import botocore
import pytest
import yaml

from release.notes import NoNotes, notes
from release.readme import copied, repository, with_whole_links
from release.standalone import services_called
from release.sums import write_sums
from release.trials import Refused, try_all, try_bill, try_function, try_standalone
from tests.support.building import ROOT
from watchbot import __version__

WORKFLOW = ROOT / ".github/workflows/release.yml"
LEAST = {  # the first that run on Node.js 24, as GitHub's machines have no older one any more
    "actions/checkout": (5,),
    "actions/setup-python": (6,),
    "actions/upload-artifact": (6,),
    "actions/download-artifact": (7,),
    "actions/attest": (4,),  # makes attestations of provenance and of an SBOM
    "pypa/gh-action-pypi-publish": (1, 14, 2),  # reads the metadata 2.5 that hatchling writes
}
LOG = """\
# Changelog

## 2.0.0 (unreleased)

- New.

## 1.0.0

### Added

- Old.

## 0.9.0
"""


@pytest.fixture
def changelog(tmp_path: Path) -> Path:
    file = tmp_path / "CHANGELOG.md"
    file.write_text(LOG)
    return file


def test_notes_are_the_section_of_the_version(changelog: Path) -> None:
    assert notes("2.0.0", changelog) == "- New.\n"
    assert notes("1.0.0", changelog) == "### Added\n\n- Old.\n"


@pytest.mark.parametrize("version", ["0.9.0", "3.0.0", "1.0"])
def test_version_without_notes_is_not_released(changelog: Path, version: str) -> None:
    with pytest.raises(NoNotes, match=rf"no section '## {re.escape(version)}' with a line in it"):
        notes(version, changelog)


def test_version_of_the_package_has_notes() -> None:
    assert notes(__version__)


def test_links_of_the_readme_lead_somewhere_from_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "somebody/watchbot")
    text = (ROOT / "README.md").read_text()

    whole = with_whole_links(text, repository())

    links = re.findall(r'\]\(([^)]+)|\b(?:src|srcset)="([^"]+)', whole)
    places = [f"{link}{picture}" for link, picture in links]
    start = f"https://github.com/somebody/watchbot/(?:blob|raw)/v{re.escape(__version__)}/"
    named = [re.fullmatch(rf"{start}([^#]+)(?:#.*)?", place) for place in places]
    assert len(places) > 40
    assert all(each and (ROOT / each[1]).exists() for each in named)
    assert f"/raw/v{__version__}/docs/pictures/console-light.png" in whole
    assert with_whole_links(text, None) == text


def test_package_is_built_from_all_it_needs(tmp_path: Path) -> None:
    names = {path.name for path in copied(tmp_path).iterdir()}

    included = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = included["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {name.lstrip("/") for name in included} | {"pyproject.toml"} <= names


def test_checksums_are_those_that_sha256sum_takes(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_text("a")
    (tmp_path / "b.pyz").write_text("b")

    write_sums(tmp_path)
    sums = write_sums(tmp_path)  # it does not list itself
    said = subprocess.run(
        ["sha256sum", "--check", sums], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert said.stdout == "a.whl: OK\nb.pyz: OK\n"


def test_release_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has no \*\.whl"):
        try_all(tmp_path)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    built = tmp_path / "watchbot-1-linux.tar.gz"
    program = tmp_path / "watchbot/bin/watchbot"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho watchbot 0\n")
    program.chmod(0o755)
    subprocess.run(["tar", "-C", tmp_path, "-czf", built, "watchbot"], check=True)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass

    bill = {"metadata": {"component": {"version": "0"}}, "components": []}
    (tmp_path / "bill.json").write_text(json.dumps(bill))

    with pytest.raises(Refused, match="said watchbot 0"):
        try_standalone(built, tmp_path / "place")
    with pytest.raises(Refused, match="no custom resource"):
        try_function(tmp_path / "empty.zip", tmp_path)
    with pytest.raises(Refused, match="not the bill of materials of version"):
        try_bill(tmp_path / "bill.json", tmp_path)


def test_services_that_the_standalone_build_keeps_are_those_that_are_called() -> None:
    known = {folder.name for folder in (Path(botocore.__file__).parent / "data").iterdir()}

    assert {"cloudwatch", "dynamodb", "ecs", "logs", "s3", "sns", "sqs"} <= services_called()
    assert services_called() <= known


def test_workflow_calls_targets_and_files_that_are_there() -> None:
    steps = [step for job in yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
             for step in job["steps"]]  # fmt: skip
    run = "\n".join(step["run"] for step in steps if "run" in step)

    for target in re.findall(r"^make (\w+)", run, re.M):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
    for module in re.findall(r"-m ([\w.]+)", run):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert (ROOT / ".ci/run").is_file()
    assert "make release" in run


def test_recipes_of_the_makefile_are_whole() -> None:
    # Not `test-all`: make runs lines that call make itself, asked to print them or not.
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))

    for target in sorted(targets - {"test-all"}):
        recipe = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True
        ).stdout
        read = subprocess.run(["bash", "-n"], input=recipe, check=False, capture_output=True)
        assert (target, read.stderr) == (target, b"")


def test_workflow_trusts_nothing_that_may_change_and_keeps_no_secret() -> None:
    text = WORKFLOW.read_text()
    parsed = yaml.safe_load(text)

    used = re.findall(r"uses: (.+)", text)
    assert used
    for action in used:
        pinned = re.fullmatch(r"([\w./-]+)@[0-9a-f]{40} # v(\d+\.\d+\.\d+)", action)
        assert pinned, action
        assert tuple(int(part) for part in pinned[2].split(".")) >= LEAST[pinned[1]]
    assert "secrets." not in text
    assert "password" not in text
    assert parsed["permissions"] == {"contents": "read"}
    writers = {name for name, job in parsed["jobs"].items() if "permissions" in job}
    assert writers == {"publish"}
