"""Asks the scheduler's API for jobs and runs, and sends it what a person does."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from anyio import to_thread

from watchbot.console.needs import FailedRun
from watchbot.errors import WatchbotError
from watchbot.moment import to_text
from watchbot.watchers import DIRECT, PATIENCE_S

MOST_BYTES = 20_000_000
MOST = 1000  # the API's limit of runs, and of jobs
ACTIONS = ("run", "pause", "resume")


class NoScheduler(WatchbotError):
    """The scheduler does not answer, or refuses."""


class SchedulerRefused(NoScheduler):
    """The scheduler has surely not done what it was asked to do."""


class ScheduleApi:
    """The API at `url`; it gets `token`, and nobody that it redirects to does.

    Each call raises `NoScheduler`.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url, self._token = url, token

    async def runs(self, **wanted: str) -> list[Mapping[str, Any]]:
        """The latest runs of all jobs, by the filters of `GET /v1/runs`."""
        return _listed(await self._ask("GET", f"/v1/runs?{urlencode(wanted)}"), "runs")

    async def jobs(self) -> list[Mapping[str, Any]]:
        """The jobs, by name; at most 1,000."""
        return _listed(await self._ask("GET", f"/v1/jobs?count={MOST}"), "jobs")

    async def failed(self) -> Sequence[FailedRun]:
        """The jobs of which a run failed or was missed in the last day, each with its last one."""
        since = to_text(datetime.now(UTC) - timedelta(days=1))
        by_job: dict[str, list[Mapping[str, Any]]] = {}
        for run in await self.runs(failed="true", since=since, limit=str(MOST)):
            by_job.setdefault(str(run.get("job")), []).append(run)
        return [
            FailedRun(job=job, due=str(runs[0].get("dueAt")), why=_why(runs))
            for job, runs in by_job.items()
        ]

    async def act(self, job: str, action: str, **body: str) -> None:
        """Runs, pauses or resumes a job: `action` is one of `ACTIONS`."""
        await self._ask("POST", f"/v1/jobs/{quote(job, safe='')}/{action}", body)

    async def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        return await to_thread.run_sync(partial(self._answer, method, path, body))

    def _answer(self, method: str, path: str, body: Mapping[str, str] | None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        asked = urllib.request.Request(  # noqa: S310 - settings check the scheme
            self._url + path, data, headers, method=method
        )
        try:
            with DIRECT.open(asked, timeout=PATIENCE_S) as answer:
                return json.loads(answer.read(MOST_BYTES))
        except HTTPError as refusal:
            # A proxy may be tired of waiting for a scheduler that does it nevertheless.
            kind = SchedulerRefused if refusal.code < 500 else NoScheduler
            raise kind(f"{self._url}: {_said(refusal)}") from refusal
        except (OSError, HTTPException, ValueError, RecursionError) as fault:
            reason = getattr(fault, "reason", None) or fault
            text = " ".join(str(getattr(reason, "strerror", None) or reason).split())
            raise NoScheduler(f"{self._url}: {text}") from fault


def _said(refusal: HTTPError) -> str:
    if refusal.code == 401:
        return "it wants another token; set --schedule-token"
    try:
        return str(json.loads(refusal.read(65_536))["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return f"HTTP status {refusal.code}"


def _listed(answer: Any, name: str) -> list[Mapping[str, Any]]:
    rows = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise NoScheduler(f"no scheduler answers there, or one that is too old: it lists no {name}")
    return [row for row in rows if isinstance(row, dict)]


def _why(runs: Sequence[Mapping[str, Any]]) -> str:
    last = runs[0]
    why = str(last.get("outcome") or last.get("status"))
    why = f"{why.replace('_', ' ')}: {last['reason']}" if last.get("reason") else why
    return f"{why} ({len(runs):,} in a day)" if len(runs) > 1 else why
