"""The web pages of the record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchbot.moment import to_time
from watchbot.pages.site import Templates, asking, shown_time
from watchbot.record import answers, chart
from watchbot.record.api import FILTERS, LIST, PAGING, by_of, filters_of, page_of, since_of
from watchbot.sql.database import Database

DRAWN = 400  # tasks on one timeline
NAV = (
    ("/", "Running"),
    ("/timeline", "Timeline"),
    ("/failures", "Failures"),
    ("/instances", "Instances"),
)


class RecordPages:
    """The routes that answer with HTML."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._templates = Templates(
            "watchbot.record", {"time": shown_time, "lasted": _lasted, "amount": _amount}
        )

    def routes(self) -> list[Route]:
        return [
            Route("/", asking(self.running, *LIST)),
            Route("/timeline", asking(self.timeline, *FILTERS, "since", "until", "page", "after")),
            Route("/failures", asking(self.failures, *LIST, "since", "by")),
            Route("/instances", asking(self.instances, *PAGING)),
            Route("/tasks/{id}", asking(self.task)),
        ]

    async def running(self, request: Request) -> Response:
        page = page_of(request)
        tasks = await answers.running(self._database, filters_of(request), page)
        day = datetime.now(UTC) - timedelta(days=1)
        families = await answers.failures(self._database, day, "family", filters_of(request))
        return self._render(
            request,
            "running.html",
            tasks=tasks,
            page=page,
            running=await answers.count_running(self._database, filters_of(request)),
            failed=sum(row["failed"] for row in families),
            ended=sum(row["ended"] for row in families),
            reconciled_at=await answers.reconciled_at(self._database),
        )

    async def timeline(self, request: Request) -> Response:
        since = since_of(request, timedelta(hours=6))
        asked = request.query_params.get("until")
        until = answers.moment(asked, datetime.now(UTC)) if asked else datetime.now(UTC)
        page = replace(page_of(request), size=DRAWN)
        tasks = await answers.between(self._database, (since, until), filters_of(request), page)
        drawn = chart.timeline(tasks, since, until)
        return self._render(
            request, "timeline.html", chart=drawn, tasks=tasks, page=page, width=chart.WIDTH
        )

    async def failures(self, request: Request) -> Response:
        by = by_of(request)
        since = since_of(request, timedelta(days=7))
        rows = await answers.failures(self._database, since, by, filters_of(request))
        drawn = chart.columns(rows, by)
        page = page_of(request)
        tasks = await answers.failed(self._database, since, filters_of(request), page)
        return self._render(
            request,
            "failures.html",
            rows=rows,
            by=by,
            chart=drawn,
            width=chart.WIDTH,
            tasks=tasks,
            page=page,
        )

    async def instances(self, request: Request) -> Response:
        page = page_of(request)
        rows = await answers.instances(self._database, page)
        return self._render(request, "instances.html", instances=rows, page=page)

    async def task(self, request: Request) -> Response:
        found = await answers.history(self._database, request.path_params["id"])
        if found is None:
            return self._render(request, "missing.html", status=404)
        return self._render(request, "task.html", found=found)

    def _render(
        self, request: Request, template: str, status: int = 200, **facts: object
    ) -> Response:
        def link(**changed: object) -> str:
            without = request.url.remove_query_params(list(changed))
            kept = {name: value for name, value in changed.items() if value is not None}
            return f"?{without.include_query_params(**kept).query}"

        shared = {"nav": NAV, "path": request.url.path, "asked": request.query_params, "link": link}
        return self._templates.page(template, status, **shared, **facts)


def _amount(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"  # noqa: RUF001 - a dash for people


def _lasted(start: str | None, end: str | None) -> str:
    if start is None:
        return "–"  # noqa: RUF001 - a dash for people
    took_s = int(((to_time(end) if end else datetime.now(UTC)) - to_time(start)).total_seconds())
    for unit, size_s in (("d", 86_400), ("h", 3600), ("m", 60)):
        if took_s >= 2 * size_s:
            return f"{took_s // size_s} {unit}"
    return f"{max(took_s, 0)} s"
