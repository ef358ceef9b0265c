"""Writes the README's links in full where it is shown away from its files, as PyPI shows it."""

import os
import re
import shutil
from pathlib import Path

from release.pyz import ROOT
from watchbot import __version__

BUILT_FROM = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore")
_LINK = re.compile(r'(\]\(|\b(?:src|srcset)=")(?!https?://)([^)"\s]+)')
_PICTURE = re.compile(r"\.(?:png|svg)$")


def copied(folder: Path) -> Path:
    """Copies what the package is built from, with whole links, to `folder`; returns that."""
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "watchbot", folder / "watchbot", ignore=caches)
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, folder)
    readme = folder / "README.md"
    readme.write_text(with_whole_links(readme.read_text(), repository()))
    return folder


def repository() -> str | None:
    """The address of the project, in a run of GitHub's actions; None elsewhere."""
    name = os.environ.get("GITHUB_REPOSITORY")
    return f"{os.environ['GITHUB_SERVER_URL']}/{name}" if name else None


def with_whole_links(text: str, address: str | None) -> str:
    """The text, whose links name the files of this version at `address`; without it, as it is.

    Links to a heading of the README do, too: PyPI shows headings without an anchor.
    """

    def whole(found: re.Match[str]) -> str:
        kind = "raw" if _PICTURE.search(found[2]) else "blob"
        file = f"README.md{found[2]}" if found[2].startswith("#") else found[2]
        return f"{found[1]}{address}/{kind}/v{__version__}/{file}"

    return _LINK.sub(whole, text) if address else text
