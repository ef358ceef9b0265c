"""Lists the files that this program reads while it runs, named by variables or AWS's files."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Some of these variables name files that boto and OpenSSL read again: certificates, tokens.
_PREFIXES = ("AWS_", "SSL_CERT_", "OTEL_EXPORTER_")
_NAMES = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WATCHBOT_CACHE"}


def named_paths() -> Iterator[Path]:
    """Yields the files that AWS's clients need, and the one-file binary's cache directory."""
    for name, value in os.environ.items():
        if name.startswith(_PREFIXES) or name in _NAMES:
            yield from (Path(part) for part in value.split(os.pathsep) if os.path.isabs(part))
    home = Path(os.path.expanduser("~"))
    yield home / ".aws"
    yield Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "watchbot"
    yield Path(tempfile.gettempdir()) / f"watchbot-cache-{os.getuid()}"
    for variable, default in (
        ("AWS_CONFIG_FILE", home / ".aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", home / ".aws/credentials"),
    ):
        yield from _named_in(Path(os.environ.get(variable) or default))


def _named_in(file: Path) -> Iterator[Path]:
    """Yields the paths in a file of AWS's settings: a CA bundle, a token, a program."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return
    yield from (Path(word) for word in re.findall(r"[=\s\"'](/[^\s\"']+)", text))
