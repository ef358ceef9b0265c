"""Draws three pictures into a folder, and a file that is none."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

folder = Path(sys.argv[1])
for name, size in {"wide.png": (1600, 900), "tall.png": (600, 1200), "small.png": (80, 60)}.items():
    picture = Image.new("RGB", size, "navy")
    ImageDraw.Draw(picture).ellipse((0, 0, *size), fill="gold")
    picture.save(folder / name)
(folder / "notes.png").write_text("this is no picture")
