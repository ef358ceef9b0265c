"""Makes the pages docs/reference/api*.md from the descriptions of the scheduler's API."""

from typing import cast

from watchbot.schedule.http.operations import Operation, operations, spec
from watchbot.schedule.http.v1 import V1
from watchbot.schedule.store.store import Store

_START = """\
# The API of the scheduler

Requests and answers of `watchbot schedule`. [Jobs](jobs.md) explains the fields of a job. Programs
read `/spec` (Swagger 2) or `/v1/openapi.json` (OpenAPI 3); people read `/page/api`.

A body is JSON, of at most 64 KiB. The API answers wrong fields with 400 and their names, an unknown
job with 404, a missing token with 401. If the database does not answer, the API answers 503.

This page is made by `make docs`.
"""


_MORE = """
[Jobs below /v1](api-jobs.md) and [runs below /v1](api-runs.md) have pages of their own. Here are
the paths of ecs-scheduler.
"""


def api_page() -> str:
    """The text of the page: what all requests have in common, and the older paths."""
    return _START + _MORE + "".join(map(_section, operations(spec())))


def api_jobs_page() -> str:
    """The page of the jobs below /v1."""
    start = "# Jobs below /v1\n\nThe [API of the scheduler](api.md): read, write and delete jobs.\n"
    return start + "".join(_section(each) for each in _v1() if _is_of_jobs(each))


def api_runs_page() -> str:
    """The page of the runs and fires below /v1."""
    start = "# Runs below /v1\n\nThe [API of the scheduler](api.md): what runs, ran and will run.\n"
    return start + "".join(_section(each) for each in _v1() if not _is_of_jobs(each))


def _v1() -> tuple[Operation, ...]:
    v1 = V1(cast(Store, None), lambda: None)  # descriptions need no store
    return tuple(operations(v1.application().openapi(), "/v1"))


def _is_of_jobs(operation: Operation) -> bool:
    return operation.path in ("/v1/jobs", "/v1/jobs/{job_id}")


def _section(operation: Operation) -> str:
    parts = [f"\n## {operation.method} {operation.path}\n\n{operation.summary}.\n"]
    if operation.fields:
        parts.append("\n| field | in | type | what it is |\n|---|---|---|---|\n")
        parts += (
            f"| `{field.name}`{' (required)' if field.required else ''} | {field.location} "
            f"| {field.type} | {field.text} |\n"
            for field in operation.fields
        )
    answers = "; ".join(f"{code}: {text.rstrip('.')}" for code, text in operation.answers)
    parts.append(f"\nAnswers: {answers}.\n")
    return "".join(parts)
