"""Reads the notes of a release from the changelog."""

import re
from pathlib import Path

from release.pyz import ROOT

CHANGELOG = ROOT / "CHANGELOG.md"


class NoNotes(Exception):
    """The changelog has no section, or an empty one, for the version."""


def notes(version: str, changelog: Path = CHANGELOG) -> str:
    """The section of `version`, without its heading. Raises `NoNotes`."""
    heading = rf"^## {re.escape(version)}(?: [^\n]*)?\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog.read_text(), re.M | re.S)
    if found is None or not re.search(r"^- ", found[1], re.M):
        raise NoNotes(
            f"{changelog.name} has no section '## {version}' with a line in it: "
            "write it, or set __version__ in watchbot/__init__.py to the version that has one"
        )
    return found[1].strip() + "\n"
