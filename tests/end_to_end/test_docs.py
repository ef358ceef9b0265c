"""The pages, followed word for word: what they say to type is typed, what they promise is seen.

A block of `sh` or `python` is run, in the order of the page, in one folder. A block of `text`
right after it is what it printed; `…` stands for anything, and alone on a line for any lines. A
block that cannot be run here says why, in a comment on the line before it:
`<!-- norun: needs docker -->`. (Words behind the language would be no fence to the site's builder.)
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.cloud import Cloud
from tests.support.programs import read_until

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?: *<!-- norun: ([^\n]+) -->\n)?( *)```([^\n]*)\n(.*?)^\2```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, why it is not run, its text, and the line it begins at."""

    language: str
    note: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    written = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(written):
        line = written.count("\n", 0, found.start(2)) + 1
        yield Block(found[3], found[1] or "", textwrap.dedent(found[4]), line)


def matches(expected: str, printed: str) -> bool:
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


@pytest.fixture
def place(cloud: Cloud, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a reader who has queues, one with dead letters, and a progress table."""
    queue, dead = cloud.queue_with_dead_letters("readers")
    several = [cloud.queue(name) for name in ("high", "low")]  # where a page has several
    table = cloud.table(f"readers-{tmp_path.name}")
    reader = {"HOME": str(tmp_path), "QueueUrl": queue, "ProgressTable": table}
    yield {**cloud.environment, **reader}
    for url in (queue, dead, *several):  # so that the next page finds them empty
        cloud.sqs.delete_queue(QueueUrl=url)


def typed(block: Block, folder: Path, variables: dict[str, str]) -> tuple[str, Path]:
    """The output of a block, and the working directory after it."""
    left = folder / ".left-in"
    script = f"set -eu\n{block.text}\npwd > {left}\n"
    words = ["bash", "-c", script] if block.language == "sh" else [sys.executable, "-c", block.text]
    done = subprocess.run(
        words, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"line {block.line}: {done.stdout}"
    return done.stdout, Path(left.read_text().strip()) if left.exists() else folder


def follow(page: Path, folder: Path, place: dict[str, str]) -> None:
    printed = None
    for block in blocks(page):
        if block.language == "text":
            assert printed is None or matches(block.text, printed), f"line {block.line}: {printed}"
            printed = None
        elif block.language in {"sh", "python"} and not block.note:
            printed, folder = typed(block, folder, place)
        else:
            printed = None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_does_what_it_says(page: Path, tmp_path: Path, place: dict[str, str]) -> None:
    follow(page, tmp_path, place)


@pytest.mark.parametrize("name", ["dead-letters", "map-reduce", "record-tasks"])
def test_page_can_be_followed_without_an_account(name: str, cloud: Cloud, tmp_path: Path) -> None:
    page = ROOT / "docs" / "how-to" / f"{name}.md"
    (start,) = [block.text for block in blocks(page) if block.text.startswith("watchbot local")]
    with cloud.started(*start.split()[1:]) as server:
        guide = read_until(server, "Ctrl-C")
        exports = re.findall(r"^  export (.*)$", guide, re.M)
        pasted = dict(word.split("=", 1) for line in exports for word in line.split())
        path = cloud.environment["PATH"]
        follow(page, tmp_path, {"PATH": path, "HOME": str(tmp_path), **pasted})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_that_are_not_run_can_be_read(page: Path) -> None:
    readers = {"json": json.loads, "yaml": yaml.safe_load_all}
    for block in blocks(page):
        assert re.fullmatch("[a-z]+", block.language), f"line {block.line}: name the language alone"
        if block.language in readers:
            readers[block.language](block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
