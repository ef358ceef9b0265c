"""Renders the pages: what all of them show, and the forms of values for people."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from watchbot.moment import to_text, to_time
from watchbot.pages.site import Templates, lasted, visitor
from watchbot.pages.tickets import Tickets
from watchbot.schedule.run_list import pill

NAV = (
    ("/", "Now"),
    ("/failures", "Failures"),
    ("/letters", "Dead letters"),
    ("/runs", "Runs"),
    ("/schedule", "Schedule"),
    ("/tasks", "Tasks"),
    ("/audit", "Audit"),
)
SPARK_HEIGHT = 18


class Renderer:
    """Renders the console's templates. Each page has one ticket, for all its forms."""

    def __init__(self) -> None:
        self.tickets = Tickets()
        self._templates = Templates(
            "watchbot.console",
            {
                "lasted": lasted,
                "bars": bars,
                "instant": instant,
                "count": _count,
                "share": _share,
                "run_level": pill,
            },
        )

    def page(
        self, request: Request, name: str, status: int = 200, *, refresh_s: int = 0, **facts: Any
    ) -> HTMLResponse:
        """A page with these facts. With `refresh_s`, a script loads it again that often."""
        visit = visitor(request)
        path = request.url.path
        here = max((each for each, _ in NAV if _is_below(path, each)), key=len, default="")
        ticket = self.tickets.issue(visit.name) if visit.may_act else ""
        return self._templates.page(
            name,
            status,
            nav=NAV,
            here=here,
            ticket=ticket,
            visit=visit,
            refresh_s=refresh_s,
            **facts,
        )


def bars(minutes: Sequence[int]) -> list[tuple[int, float, float]]:
    """The bars of a sparkline: x, y and height of each count; the highest is 18 high."""
    most = max(minutes, default=0)
    return [
        (2 * index, SPARK_HEIGHT - height, height)
        for index, count in enumerate(minutes)
        if count and (height := max(2.0, SPARK_HEIGHT * count / most))
    ]


def instant(text: str | None) -> dict[str, str] | None:
    """A time in any ISO form, for `<time>`: the attribute, and UTC for people; None for no time."""
    if not text:
        return None
    try:
        moment = to_text(to_time(text))
    except (ValueError, OverflowError):  # OverflowError: a time of the year 1 in another zone
        return {"exact": "", "shown": text}
    return {"exact": moment, "shown": f"{moment[:10]} {moment[11:19]} UTC"}


def _is_below(path: str, page: str) -> bool:
    return path == page or (page != "/" and path.startswith(f"{page}/"))


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"  # noqa: RUF001 - a dash for people


def _share(part: float) -> str:
    return f"{100 * part:.0f} %"
