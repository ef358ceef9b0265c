"""Access to a service's pages: host names, origins and tokens."""

import ipaddress
import re
from urllib.parse import urlsplit

from watchbot.errors import SettingError
from watchbot.settings.base import describe

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORTS = {"http": 80, "https": 443}
# Placeholders and references left in place of a secret, which everybody knows.
_UNRESOLVED = re.compile(
    r"\s*|arn:[\w-]+:(secretsmanager|ssm):.*|\{\{.*\}\}|\$\{.*\}|\$\(.*\)|\$\w+|<.*>|ssm:.*",
    re.DOTALL,
)


Site = tuple[str, str, int | None]  # scheme, name, port


def check_door(host: str, token: str | None, prefix: str = "") -> None:
    """Raises `SettingError` for a placeholder as token, and for a public host without a token.

    The names of both options begin with `prefix`.
    """
    check_secret(f"{prefix}token", token)
    if token is None and not is_loopback(host):
        raise SettingError(
            describe(f"{prefix}host"),
            f"others may reach {host}, and need no token; set {describe(f'{prefix}token')}",
        )


def check_secret(option: str, secret: str | None) -> None:
    """Raises `SettingError`, naming `option`, for a placeholder in the place of a secret."""
    if secret is not None and _UNRESOLVED.fullmatch(secret):
        problem = "is blank, or names a secret; set it to the secret itself"
        raise SettingError(describe(option), problem)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(named: str) -> str:
    """The name in a `Host` header, without its port; empty for a bad header."""
    try:
        return urlsplit(f"//{named}").hostname or ""
    except ValueError:
        return ""


def site_of(url: str) -> Site:
    """The site of a URL or an `Origin`; equal values mean one site."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return url, "", None
