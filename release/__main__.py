"""Builds a release in dist/ and tries each file of it (`make release`).

Writes beside them NOTES.md (from the changelog), the bill of materials of what the wheel installs
(watchbot.cdx.json, CycloneDX) and SHA256SUMS.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import helm_python

from release import function, pyz, readme, standalone
from release.notes import NoNotes, notes
from release.sums import write_sums
from release.trials import MAKERS_OF_A_VENV, Refused, try_all
from watchbot import __version__


def release(target: Path) -> list[Path]:
    """Builds, tries and lists everything; returns the files. Raises `NoNotes`, `Refused`."""
    written = notes(__version__)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    python = [sys.executable, "-m"]
    with tempfile.TemporaryDirectory() as name:
        source = str(readme.copied(Path(name)))
        build = [*python, "build", "--no-isolation", "--outdir", str(target), source]
        subprocess.run(build, check=True)
    subprocess.run([*python, "twine", "check", "--strict", *map(str, target.iterdir())], check=True)
    pyz.build(target)
    function.build(target)
    helm_python.package(pyz.ROOT / "charts/watchbot", destination=target)
    shutil.rmtree(standalone.directory_of(standalone.build(target)))
    _add_bill_of_materials(target)
    try_all(target)
    (target / "NOTES.md").write_text(written)
    write_sums(target)
    return sorted(target.iterdir())


def _add_bill_of_materials(target: Path) -> None:
    (wheel,) = target.glob("*.whl")
    with tempfile.TemporaryDirectory() as name:
        venv.create(name, with_pip=True)
        constraint = ["--constraint", str(pyz.ROOT / "constraints.txt")]
        install = "-m pip install --quiet --disable-pip-version-check".split()
        python = Path(name) / "bin/python"
        subprocess.run([python, *install, *constraint, f"{wheel}[{standalone.EXTRAS}]"], check=True)
        makers = MAKERS_OF_A_VENV  # pip only warns of one that is not there
        subprocess.run([python, "-m", "pip", "--quiet", "uninstall", "-y", *makers], check=True)
        words = "-m cyclonedx_py environment --output-reproducible --pyproject".split()
        bill, project = target / "watchbot.cdx.json", str(pyz.ROOT / "pyproject.toml")
        describe = [sys.executable, *words, project, "-o", str(bill), str(python)]
        subprocess.run(describe, check=True)
    described = json.loads(bill.read_text())
    described["metadata"]["component"]["version"] = __version__  # pyproject.toml does not say it
    bill.write_text(json.dumps(described, indent=2) + "\n")


if __name__ == "__main__":
    try:
        made = release(Path(sys.argv[1]) if sys.argv[1:] else pyz.ROOT / "dist")
    except (NoNotes, Refused) as error:
        sys.exit(f"release: {error}")
    sys.stdout.writelines(f"{file}\n" for file in made)
