"""Visits pages with axe-core and the keyboard, in a headless Chromium that Node.js drives."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MODULES = HERE.parent.parent / "build/node/node_modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page as a browser sees it: what axe-core finds wrong, its width, and complaints."""

    violations: list[Any]
    wide: int
    complaints: list[str]


def looked(urls: list[str], *, width: int = 1280, scheme: str = "light") -> dict[str, Seen]:
    """What a browser of this width and colour scheme sees at each URL."""
    found = _visit(urls, width, scheme, "look")
    return {url: Seen(**seen) for url, seen in found.items()}


def tabbed(url: str) -> list[str]:
    """The names of all that the Tab key reaches on a page, in order."""
    names: list[str] = _visit([url], 1280, "light", "keyboard")[url]
    return names


def _visit(urls: list[str], width: int, scheme: str, how: str) -> dict[str, Any]:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None:
        pytest.skip("no Chromium, or no Node.js, on this machine: apt-get install chromium nodejs")
    if not (MODULES / "axe-core").is_dir():
        pytest.skip("no axe-core in build/node: make node")
    words = [node, str(HERE / "visit.mjs"), chromium, str(MODULES), str(width), scheme, how]
    done = subprocess.run([*words, *urls], capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
