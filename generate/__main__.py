"""Writes every generated file."""

from pathlib import Path

from generate.files import FILES

for path, text in FILES.items():
    Path(path).write_text(text())
