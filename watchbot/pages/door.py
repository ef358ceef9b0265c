"""Who may come to a service's pages: by which name, from which site, with which token."""

import ipaddress
import re
from urllib.parse import urlsplit

from watchbot.errors import SettingError
from watchbot.settings.base import describe

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORTS = {"http": 80, "https": 443}
# What stands where a secret was to be put: everybody knows it.
_UNRESOLVED = re.compile(
    r"\s*|arn:[\w-]+:(secretsmanager|ssm):.*|\{\{.*\}\}|\$\{.*\}|\$\(.*\)|\$\w+|<.*>|ssm:.*",
    re.DOTALL,
)


Site = tuple[str, str, int | None]  # scheme, name, port


def check_door(host: str, token: str | None, prefix: str = "") -> None:
    """Raises `SettingError` for a token that is none, and for strangers who need to know none.

    `prefix` is what the names of both options begin with.
    """
    if token is not None and _UNRESOLVED.fullmatch(token):
        problem = "is blank, or names a secret instead of being it; put the secret itself there"
        raise SettingError(describe(f"{prefix}token"), problem)
    if token is None and not is_loopback(host):
        raise SettingError(
            describe(f"{prefix}host"),
            f"{host} may be reached by others, who need no token; set {describe(f'{prefix}token')}",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(named: str) -> str:
    """The name in a `Host` header, without its port; none for what is no name."""
    try:
        return urlsplit(f"//{named}").hostname or ""
    except ValueError:
        return ""


def site_of(url: str) -> Site:
    """The site that a URL or an `Origin` is of: two are one if these are equal."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return url, "", None
