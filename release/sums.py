"""Writes SHA256SUMS for the files of a directory, as `sha256sum --check` reads it."""

import hashlib
import sys
from pathlib import Path

NAME = "SHA256SUMS"


def write_sums(folder: Path) -> Path:
    """Writes the checksums of all other files beside them; returns the file's path."""
    files = sorted(file for file in folder.iterdir() if file.name != NAME)
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    sums = folder / NAME
    sums.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    return sums


if __name__ == "__main__":
    sys.stdout.write(f"{write_sums(Path(sys.argv[1]))}\n")
