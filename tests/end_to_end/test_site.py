"""The site of the pages, as it is built and as a browser shows it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.cloud import BIN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [BIN / "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT, env={"PATH": str(BIN), "NO_MKDOCS_2_WARNING": "true"}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img)[^>]*>", page.read_text(encoding="utf-8")):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), f"{page}: {tag}"


def test_page_in_a_browser(site: Path, tmp_path: Path) -> None:
    page = site / "reference" / "commands.html"

    document = chromium(tmp_path / "profile", "--dump-dom", page.as_uri())

    assert "--visibility-timeout" in document
    assert document.count("<table>") > 5
