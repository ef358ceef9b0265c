"""The versions of constraints.txt: they install on every Python that the project says it takes."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]


def pinned() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [name for name, found, _ in (line.partition("==") for line in lines) if found]


def takes(package: str, python: str) -> bool:
    """Whether a package accepts this Python; a missing package is for another Python."""
    try:
        wanted = metadata(package).json.get("requires_python", "")
    except PackageNotFoundError:
        return True
    return python in SpecifierSet(str(wanted))


def test_pinned_versions_take_the_oldest_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (oldest,) = re.findall(r"^>=(3\.\d+)$", project["requires-python"])

    # Distributions keep the first patch release they came with: Debian 12 has 3.11.2.
    assert [name for name in pinned() if not takes(name, f"{oldest}.0")] == []
