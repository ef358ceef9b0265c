"""Reads requests: the form of an action, who sends it, and whether that visitor may act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from watchbot.pages.site import visitor
from watchbot.pages.tickets import Tickets

MAX_BYTES = 4 << 20  # of a form: a body of 1 MiB, encoded
LOOKS_ONLY = "you may look, and not act"
USED = "this form was sent before, or is too old; load the page again, and look what was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of a form. `who` is the visitor's name; empty where nobody tells."""

    who: str
    fields: Sequence[tuple[str, str]]

    def one(self, name: str) -> str:
        """The value of a field, with the lines of a text area; empty if there is none."""
        return next((value for field, value in self.fields if field == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for field, value in self.fields if field == name]


async def form_of(request: Request, tickets: Tickets) -> Form:
    """The form of an action.

    Raises `HTTPException`: 403 for a visitor who may only look, 409 for a form without its ticket.
    """
    visit = visitor(request)
    if not visit.may_act:
        raise HTTPException(403, LOOKS_ONLY)
    text = (await request.body()).decode(errors="replace")
    form = Form(who=visit.name, fields=parse_qsl(text, keep_blank_values=True))
    if not tickets.take(visit.name, form.one("ticket")):
        raise HTTPException(409, USED)
    return form


def number_of(asked: Mapping[str, str], name: str = "page", *, digits: int = 6) -> int:
    """The number of a page, from 0, or another of few digits. Raises `HTTPException` (400)."""
    text = asked.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= digits):
        raise HTTPException(400, f"{name} must be a whole number, 0 for the first page")
    return int(text)
