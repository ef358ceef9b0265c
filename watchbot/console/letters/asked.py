"""Reads which dead letters a page, or an order on all that match, asks for."""

import re
import time
from collections.abc import Mapping

from starlette.exceptions import HTTPException

from watchbot.console.letters.sheaf import Sheaf
from watchbot.console.visit import Form, number_of

FILTERS = ("text", "fingerprint", "older", "newer")
_AGE = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def filters_of(asked: Mapping[str, str]) -> dict[str, str]:
    """The filters of a query or a form; an absent one is empty."""
    return {name: str(asked.get(name) or "").strip() for name in FILTERS}


def places_matching(
    sheaf: Sheaf, filters: Mapping[str, str], now_s: float | None = None
) -> list[int]:
    """The places of the letters that match, the newest first. Raises `HTTPException` (400).

    Ages are those of `now_s`, in seconds since 1970, or of now.
    """
    wanted, now_s = filters["fingerprint"], time.time() if now_s is None else now_s
    return sheaf.places(
        fingerprint=None if not wanted else "" if wanted == "none" else wanted,
        text=filters["text"],
        sent_before_ms=_ago_ms(filters["older"], now_s),
        sent_after_ms=_ago_ms(filters["newer"], now_s),
    )


def to_confirm(sheaf: Sheaf, now_s: int) -> dict[str, object]:
    """Fields for a form on all letters that match now, so that `ids_confirmed` finds just those."""
    return {"sheaf": sheaf.name, "received": sheaf.received, "asked_at": now_s}


def ids_confirmed(sheaf: Sheaf, form: Form) -> list[str]:
    """The ids that match the form's filters, of the letters that matched when it was made.

    A walk goes on meanwhile, and letters grow older: nobody has confirmed those that match since,
    nor any of letters that were closed and opened again.
    """
    fields = dict(form.fields)
    if fields.get("sheaf") != sheaf.name:
        return []
    received = number_of(fields, "received")
    places = places_matching(sheaf, filters_of(fields), number_of(fields, "asked_at", digits=12))
    return [sheaf.id(place) for place in places if place < received]


def _ago_ms(text: str, now_s: float) -> int | None:
    if not text:
        return None
    found = _AGE.fullmatch(text)
    if not found:
        raise HTTPException(400, f"{text[:40]!r} is no age; write it like 90s, 5m, 2h or 7d")
    return int((now_s - int(found[1]) * _SECONDS[found[2]]) * 1000)
