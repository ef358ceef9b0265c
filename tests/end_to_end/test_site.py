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


def test_no_page_is_longer_than_a_reader_bears() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = {page: page.read_text(encoding="utf-8").count("\n") for page in pages}

    assert {page: count for page, count in lines.items() if count > 250} == {}
    assert lines[ROOT / "README.md"] <= 200


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


WORDS = {  # what a user types into the search, and a page that it must find
    "oom": "memory",
    "out of memory": "memory",
    "autoscaling": "scaling",
    "upgrade": "upgrade",
    "troubleshoot": "troubleshoot",
    "retries": "retries",
    "retry": "retries",
    "backoff": "timeouts",
    "visibility timeout": "timeouts",
    "stopTimeout": "timeouts",
    "drain": "timeouts",
    "lease": "timeouts",
    "SIGTERM": "delivery",
    "ordering": "ordering",
    "FIFO": "ordering",
    "large messages": "big-messages",
    "poison": "poison-messages",
    "dead letter": "dead-letters",
    "redrive": "poison-messages",
    "local development": "local-development",
    "LocalStack": "local-development",
    "CI": "ci",
    "costs": "costs",
    "price": "costs",
    "security review": "security-review",
    "secrets": "secrets",
    "permissions": "install",
    "Alpine": "install",
    "node": "install",
    "completion": "install",
    "Lambda": "lambda-functions",
    "handler": "lambda-functions",
    "cron": "schedules",
    "Kubernetes": "kubernetes",
    "Terraform": "terraform",
    "CDK": "cdk",
    "spot": "spot",
    "idempotent": "chaos",
    "exactly once": "exactly-once",
    "metrics": "monitoring",
    "Prometheus": "monitoring",
    "alarm": "alarms",
    "last night": "troubleshoot",
    "container dies": "states",
    "exit code": "worker",
    "licence": "dependencies",
}


@pytest.mark.parametrize("word", WORDS)
def test_search_finds_the_words_that_people_type(site: Path, word: str) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {
        Path(entry["location"].partition("#")[0]).stem
        for entry in index["docs"]
        if re.search(rf"\b{word}", f"{entry['title']} {entry['text']}", re.I)
    }

    assert WORDS[word] in found


def test_search_is_not_shown_where_it_cannot_work(site: Path, tmp_path: Path) -> None:
    document = chromium(tmp_path / "profile", "--dump-dom", (site / "index.html").as_uri())

    assert re.search(r'<html[^>]*class="[^"]*from-disk', document)


def test_page_in_a_browser(site: Path, tmp_path: Path) -> None:
    page = site / "reference" / "commands" / "tasks.html"

    document = chromium(tmp_path / "profile", "--dump-dom", page.as_uri())

    assert "--database" in document
    assert document.count("<table>") > 5
