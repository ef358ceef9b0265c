"""Says how to add an extra to this copy of watchbot.

The way depends on how the copy was installed, mostly by pip. A checkout has the project file beside
the package. The one-file binary, the standalone build and the image have a file that names them;
`release/` and the `Dockerfile` write it.
"""

from pathlib import Path

DISTRIBUTION = "watchbot-sqs"
MARK = "installed_as"  # the file in the package that says a word of `_BUILDS`, or "image"

_BUILDS = {"binary": "one-file binary", "standalone": "standalone build"}
_HERE = Path(__file__).parent


def kind_of(package: Path = _HERE) -> str:
    """How the copy in the directory was installed: a word of `MARK`, `checkout` or `package`."""
    mark = package / MARK
    if mark.is_file():
        return mark.read_text().strip()
    return "checkout" if (package.parent / "pyproject.toml").is_file() else "package"


def how_to_add(extra: str, package: Path = _HERE) -> str:
    """The command or step that adds `extra` to the copy in the directory `package`."""
    kind = kind_of(package)
    if kind in _BUILDS:
        return (
            f"this {_BUILDS[kind]} is made without them; install the package instead: "
            f"pip install '{DISTRIBUTION}[{extra}]'"
        )
    if kind == "image":
        return f"build this image again: docker build --build-arg EXTRAS={extra}"
    if kind == "checkout":
        return f"pip install --editable '{package.parent}[{extra}]'"
    return f"pip install '{DISTRIBUTION}[{extra}]'"
