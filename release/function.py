"""`make lambda`: builds dist/watchbot-schedule-lambda-VERSION.zip, and prints its path.

The code of the custom resource for AWS Lambda, of the Python and the machine that build it: its
handler is `watchbot.schedule.custom_resource.handler`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from release.pyz import ROOT, clean, install, make_alike
from watchbot import __version__


def build(target: Path) -> Path:
    """Builds the zip in the directory `target`; its path. Raises `CalledProcessError`."""
    with tempfile.TemporaryDirectory() as name:
        content = Path(name) / "content"
        install(content, "schedule")
        clean(content)
        make_alike(content)
        target.mkdir(parents=True, exist_ok=True)
        base = target / f"watchbot-schedule-lambda-{__version__}"
        return Path(shutil.make_archive(str(base), "zip", content))


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / 'dist')}\n")
