"""The site of the pages, as it is built and as a browser shows it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.browser import chromium
from tests.support.cloud import BIN

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


def test_every_page_is_laid_out_whole(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "```" not in text, f"{page}: a fence that the builder does not know"
        assert "\\|" not in text, f"{page}: the backslash of a table"


def test_links_lead_to_pages_of_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue  # its links are those of a server's root
        links = re.findall(r'href="([^"#?]+)', page.read_text(encoding="utf-8"))
        for link in links:
            if not re.match(r"[a-z]+:", link):
                assert (page.parent / link).exists(), f"{page}: {link}"


@pytest.mark.parametrize("word", ["oom", "out of memory", "autoscaling", "upgrade", "troubleshoot"])
def test_search_finds_the_words_that_people_type(site: Path, word: str) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    texts = [f"{entry['title']} {entry['text']}" for entry in index["docs"]]
    assert [text for text in texts if re.search(rf"\b{word}", text, re.I)]


def test_search_is_not_shown_where_it_cannot_work(site: Path, tmp_path: Path) -> None:
    document = chromium(tmp_path / "profile", "--dump-dom", (site / "index.html").as_uri())

    assert re.search(r'<html[^>]*class="[^"]*from-disk', document)


def test_page_in_a_browser(site: Path, tmp_path: Path) -> None:
    page = site / "reference" / "commands.html"

    document = chromium(tmp_path / "profile", "--dump-dom", page.as_uri())

    assert "--visibility-timeout" in document
    assert document.count("<table>") > 5
