"""Finds out who visits a site, and whether the visitor may act or only look."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

ANYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who may look. `name` is for the audit; empty where nobody tells."""

    name: str = ""
    may_act: bool = True


class Visitors(Protocol):
    """The rule that admits visitors."""

    def admit(self, headers: Mapping[str, str]) -> Visitor | None:
        """The visitor who sent these headers; None for a stranger."""
        ...


class Everybody:
    """Admits all who reach the site, as on loopback."""

    def admit(self, headers: Mapping[str, str]) -> Visitor | None:
        return Visitor(name=_basic_name(headers))


class TokenHolders:
    """Admits who sends a token: as a bearer token, or as the password of any user.

    Who sends `look_token` may only look.
    """

    def __init__(self, token: str, look_token: str | None = None) -> None:
        self._token, self._look_token = token.strip(), (look_token or "").strip()

    def admit(self, headers: Mapping[str, str]) -> Visitor | None:
        given = _secret(headers)
        if given is None:
            return None
        if _equal(given, self._token):
            return Visitor(name=_basic_name(headers))
        if self._look_token and _equal(given, self._look_token):
            return Visitor(name=_basic_name(headers), may_act=False)
        return None


class ProxyUsers:
    """Admits the users that a reverse proxy names in a header, and else asks `others`.

    `acting` are the users who may act; `*` means all. Use this only where nobody but the proxy can
    reach the site: who can send the header can name any user.
    """

    def __init__(self, header: str, acting: Sequence[str], others: Visitors | None = None) -> None:
        self._header, self._acting, self._others = header, frozenset(acting), others

    def admit(self, headers: Mapping[str, str]) -> Visitor | None:
        name = headers.get(self._header, "").strip()
        if not name:
            return self._others.admit(headers) if self._others else None
        may_act = ANYBODY in self._acting or name in self._acting
        return Visitor(name=name, may_act=may_act)


def _secret(headers: Mapping[str, str]) -> bytes | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    given = value.strip().encode("latin-1")  # as Starlette decodes the bytes of a header
    if scheme.lower() == "bearer":
        return given
    decoded = _basic(headers)
    return None if decoded is None else decoded.partition(b":")[2]


def _basic(headers: Mapping[str, str]) -> bytes | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except ValueError:
        return None


def _basic_name(headers: Mapping[str, str]) -> str:
    return (_basic(headers) or b"").partition(b":")[0].decode(errors="replace")


def _equal(given: bytes, token: str) -> bool:
    # Most clients encode a token that is not ASCII as UTF-8, some as Latin-1.
    latin = token.encode("latin-1", "replace")
    return hmac.compare_digest(given, token.encode()) or (
        not token.isascii() and hmac.compare_digest(given, latin)
    )
