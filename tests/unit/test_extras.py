"""The hint of a missing extra fits how this copy of watchbot was installed."""

import tomllib
from pathlib import Path

import pytest

from watchbot.errors import MissingExtra
from watchbot.extras import DISTRIBUTION, how_to_add

ROOT = Path(__file__).parents[2]


def package(folder: Path, *, kind: str | None = None) -> Path:
    made = folder / "site-packages/watchbot"
    made.mkdir(parents=True)
    if kind:
        (made / "installed_as").write_text(kind + "\n")
    return made


def test_copy_of_pip_is_told_the_name_on_the_index(tmp_path: Path) -> None:
    assert how_to_add("tools", package(tmp_path)) == "pip install 'watchbot-sqs[tools]'"


def test_checkout_is_told_its_own_directory(tmp_path: Path) -> None:
    made = package(tmp_path)
    (made.parent / "pyproject.toml").touch()

    assert how_to_add("tools", made) == f"pip install --editable '{made.parent}[tools]'"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("binary", "install the package instead: pip install 'watchbot-sqs[template]'"),
        ("standalone", "install the package instead: pip install 'watchbot-sqs[template]'"),
        ("image", "build this image again: docker build --build-arg EXTRAS=template"),
    ],
)
def test_what_cannot_be_added_to_says_what_to_do_instead(
    tmp_path: Path, kind: str, said: str
) -> None:
    assert how_to_add("template", package(tmp_path, kind=kind)).endswith(said)


def test_error_is_one_line_with_the_hint() -> None:
    error = MissingExtra("template", "watchbot template")

    assert str(error) == f"watchbot template needs more packages: {how_to_add('template')}"
    assert error.exit_code == 2


def test_distribution_has_the_name_that_the_hints_say() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["name"] == DISTRIBUTION
    assert any(wanted.startswith(f"{DISTRIBUTION}[") for wanted in
               project["optional-dependencies"]["dev"])  # fmt: skip
    assert "watchbot" in project["scripts"]


def test_no_page_tells_anybody_to_install_the_other_program() -> None:
    pages = [
        path
        for folder in ("docs", "examples", "watchbot", "release")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".svg", ".png"}
    ]
    wrong = [
        path.relative_to(ROOT).as_posix()
        for path in [*pages, ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "Dockerfile"]
        if any(
            word in path.read_text(errors="replace") for word in ("watchbot[", "install watchbot ")
        )
    ]

    assert wrong == []
