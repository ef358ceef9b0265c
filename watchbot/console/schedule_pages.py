"""The scheduler's runs and jobs, with buttons to run, pause and resume a job."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watchbot.console.render import Renderer
from watchbot.console.scheduler import ACTIONS, NoScheduler, SchedulerRefused
from watchbot.console.sources import Sources
from watchbot.console.visit import form_of
from watchbot.pages.site import asking
from watchbot.schedule.run_list import CHOICES

REFRESH_S = 5
SHOWN = 200  # runs


class SchedulePart:
    """The routes of these pages. Each action is noted in the audit."""

    def __init__(self, sources: Sources, renderer: Renderer) -> None:
        self._sources, self._renderer = sources, renderer

    def routes(self) -> list[Route]:
        return [
            Route("/schedule", asking(self.schedule, "show", "job")),
            Route("/schedule/jobs/{job}/run", asking(self.sure)),
            Route("/schedule/jobs/{job}/{action}", self.act, methods=["POST"]),
        ]

    async def schedule(self, request: Request) -> Response:
        show, job = request.query_params.get("show", "all"), request.query_params.get("job", "")
        if show not in CHOICES:
            raise HTTPException(400, f"show must be one of: {', '.join(CHOICES)}")
        runs, jobs, missing = await self._found(show, job.strip())
        return self._renderer.page(
            request,
            "schedule.html",
            refresh_s=REFRESH_S,
            runs=runs,
            jobs=jobs,
            missing=missing,
            named=self._sources.scheduler is not None,
            linked=self._sources.settings.record is not None,
            choices=CHOICES,
            show=show,
            job=job,
        )

    async def sure(self, request: Request) -> Response:
        return self._renderer.page(request, "run_job.html", job=request.path_params["job"])

    async def act(self, request: Request) -> Response:
        form = await form_of(request, self._renderer.tickets)
        job, action = request.path_params["job"], request.path_params["action"]
        scheduler = self._sources.scheduler
        if scheduler is None or action not in ACTIONS:
            raise HTTPException(404, "there is no such page")
        reason = form.one("reason")
        body = {"note": reason} if action == "pause" and reason else {}
        try:
            await scheduler.act(job, action, **body)
        except NoScheduler as error:
            if not isinstance(error, SchedulerRefused):  # it may be done, or be done later
                told = f"{reason}; {error}" if reason else str(error)
                await self._sources.audit.note(form.who, f"{action} job", job, detail=told)
            raise HTTPException(502, str(error)) from error
        await self._sources.audit.note(form.who, f"{action} job", job, detail=reason)
        return RedirectResponse("/schedule#jobs", 303)

    async def _found(self, show: str, job: str) -> tuple[list[Any], list[Any], str | None]:
        """The runs, the jobs, and why there is none of them."""
        scheduler = self._sources.scheduler
        if scheduler is None:
            return [], [], None
        chosen = {name: str(value).lower() for name, value in CHOICES[show].items()}
        wanted = {**chosen, **({"job": job} if job else {}), "limit": str(SHOWN)}
        try:
            runs, jobs = await scheduler.runs(**wanted), await scheduler.jobs()
        except NoScheduler as error:
            return [], [], str(error)
        return [_run(each) for each in runs], [_job(each) for each in jobs], None


def _run(said: Mapping[str, Any]) -> dict[str, Any]:
    """A run as the page shows it, whatever an older or newer scheduler left out."""
    return {
        **{name: str(said.get(name) or "") for name in ("job", "dueAt", "cause", "reason")},
        "status": str(said.get("status") or ""),
        "outcome": str(said.get("outcome") or ""),
        "tasks": [_task(each) for each in said.get("tasks") or () if isinstance(each, dict)],
    }


def _task(said: Mapping[str, Any]) -> dict[str, Any]:
    seconds = said.get("durationS")
    return {
        "id": str(said.get("taskId") or "").rpartition("/")[2],
        "exit_code": said.get("exitCode"),
        "duration_s": seconds if isinstance(seconds, int | float) else None,
    }


def _job(said: Mapping[str, Any]) -> dict[str, Any]:
    fires = [] if said.get("suspended") else said.get("nextFires") or []
    return {
        "id": str(said.get("id") or ""),
        "schedule": str(said.get("schedule") or ""),
        "reads": str(said.get("scheduleReads") or ""),
        "paused": bool(said.get("suspended")),
        "next": str(fires[0]) if fires else None,
    }
