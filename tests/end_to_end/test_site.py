"""The site of the pages, as it is built and as a browser shows it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.browser import chromium
from tests.support.browsing import looked, measured
from tests.support.cloud import BIN

ROOT = Path(__file__).parents[2]
SEEK = ROOT / "tests" / "support" / "seek.mjs"


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
        prose = re.sub(r"<pre.*?</pre>", "", text, flags=re.S)
        assert not re.search(r"\n\d+\. ", prose), f"{page}: a list that the builder does not know"


def test_links_lead_to_pages_of_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue  # its links are those of a server's root
        links = re.findall(r'href="([^"#?]+)', page.read_text(encoding="utf-8"))
        for link in links:
            if not re.match(r"[a-z]+:", link):
                assert (page.parent / link).exists(), f"{page}: {link}"


WORDS = {  # what a user types into the search, and a page that is among the first three found
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
    "graceful shutdown": "delivery",
    "duplicate": "exactly-once",
    "ordering": "ordering",
    "FIFO": "ordering",
    "priority": "several-queues",
    "batch": "batches",
    "rate limit": "limit-the-rate",
    "checkpoint": "checkpoints",
    "large messages": "big-messages",
    "poison": "poison-messages",
    "dead letter": "dead-letters",
    "DLQ": "dead-letters",
    "redrive": "poison-messages",
    "local development": "local-development",
    "LocalStack": "local-development",
    "CI": "ci",
    "GitHub Actions": "ci",
    "debug": "replay",
    "costs": "costs",
    "price": "costs",
    "pricing": "costs",
    "security review": "security-review",
    "secrets": "secrets",
    "permissions": "permissions",
    "IAM": "permissions",
    "encryption": "security-review",
    "credentials": "install",
    "docker": "install",
    "Alpine": "install",
    "node": "install",
    "completion": "install",
    "Lambda": "lambda-functions",
    "handler": "lambda-functions",
    "cron": "schedules",
    "scheduler": "schedule-jobs",
    "Kubernetes": "kubernetes",
    "Helm": "kubernetes",
    "Terraform": "terraform",
    "CDK": "cdk",
    "spot": "spot",
    "idempotent": "chaos",
    "exactly once": "exactly-once",
    "metrics": "monitoring",
    "Prometheus": "monitoring",
    "dashboard": "monitoring",
    "logs": "monitoring",
    "OpenTelemetry": "monitoring",
    "stuck": "troubleshoot",
    "alarm": "alarms",
    "last night": "troubleshoot",
    "container dies": "states",
    "environment variables": "worker",
    "console": "paged",
    "exit code": "worker",
    "licence": "dependencies",
}


@pytest.fixture(scope="module")
def found(site: Path) -> dict[str, list[str]]:
    """The first three pages that the site's own search shows for each of the words."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine: apt-get install nodejs")
    words = [node, str(SEEK), str(site), *WORDS]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    pages: dict[str, list[str]] = json.loads(done.stdout)
    return pages


@pytest.mark.parametrize("word", WORDS)
def test_search_shows_what_people_look_for_first(found: dict[str, list[str]], word: str) -> None:
    assert WORDS[word] in [Path(page).stem for page in found[word]]


def test_search_is_not_shown_where_it_cannot_work(site: Path, tmp_path: Path) -> None:
    document = chromium(tmp_path / "profile", "--dump-dom", (site / "index.html").as_uri())

    assert re.search(r'<html[^>]*class="[^"]*from-disk', document)


def test_pages_fit_a_phone_and_lack_nothing(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if not {"files", "commands"} & set(page.parts)]
    pages.remove(site / "404.html")  # its files are those of a server's root
    pages += [site / "files" / "index.html", site / "reference" / "commands" / "listen.html"]

    seen = measured([page.as_uri() for page in pages], width=420)

    assert len(seen) > 60
    for url, page in seen.items():
        assert page.wide <= 420, url
        assert page.broken == page.astray == page.complaints == [], url


# Of the theme: its buttons of code have no names, and it makes code focusable when it is seen.
KNOWN = {"landmark-unique", "scrollable-region-focusable"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read_in_light_and_dark(site: Path, scheme: str) -> None:
    names = ["files/index", "how-to/checkpoints", "how-to/lambda-functions", "reference/lines"]

    seen = looked([(site / f"{name}.html").as_uri() for name in names], scheme=scheme)

    for url, page in seen.items():
        assert [each for each in page.violations if each[0] not in KNOWN] == [], url


def test_page_in_a_browser(site: Path, tmp_path: Path) -> None:
    page = site / "reference" / "commands" / "tasks.html"

    document = chromium(tmp_path / "profile", "--dump-dom", page.as_uri())

    assert "--database" in document
    assert document.count("<table>") > 5
