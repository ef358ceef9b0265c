"""The pictures of the console show it as it is now."""

import shutil
from pathlib import Path

import pytest

from generate.pictures import FOLDER, SCHEMES, STAMP, stamp

MOST_BYTES = 150_000  # of a picture that README shows


def test_pictures_are_of_these_pages() -> None:
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on this machine, to make pictures with: apt-get install chromium")

    assert STAMP.read_text().strip() == stamp(), "the pages have changed: make docs"


def test_pictures_are_small() -> None:
    for scheme in SCHEMES:
        picture: Path = FOLDER / f"console-{scheme}.png"
        assert picture.stat().st_size < MOST_BYTES
