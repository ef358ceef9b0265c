"""Visits pages with axe-core and the keyboard, in a headless Chromium that Node.js drives."""

import json
import shutil
import subprocess
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A page's width, its broken pictures, its links to no place on it, and complaints."""

    wide: int
    broken: list[str]
    astray: list[str]
    complaints: list[str]


def measured(urls: list[str], *, width: int = 1280) -> dict[str, Measured]:
    """What a browser of this width measures at each URL."""
    found = _visit(urls, width, "light", "measure")
    return {url: Measured(**seen) for url, seen in found.items()}


def tabbed(url: str) -> list[str]:
    """The names of all that the Tab key reaches on a page, in order."""
    names: list[str] = _visit([url], 1280, "light", "keyboard")[url]
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk with the keyboard: the text after each step, and what was wrong with any page."""

    seen: list[Any]
    violations: list[str]
    complaints: list[str]


def walked(*steps: Sequence[str], width: int = 1280, scheme: str = "light") -> Walk:
    """Takes these steps, as `walk.mjs` tells them; fails if the keyboard cannot."""
    return Walk(**_node("walk.mjs", width, scheme, json.dumps(steps)))


def _visit(urls: list[str], width: int, scheme: str, how: str) -> dict[str, Any]:
    return _node("visit.mjs", width, scheme, how, *urls)


def _node(script: str, width: int, scheme: str, *more: str) -> dict[str, Any]:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None:
        pytest.skip("no Chromium, or no Node.js, on this machine: apt-get install chromium nodejs")
    if not (MODULES / "axe-core").is_dir():
        pytest.skip("no axe-core in build/node: make node")
    words = [node, str(HERE / script), chromium, str(MODULES), str(width), scheme, *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
