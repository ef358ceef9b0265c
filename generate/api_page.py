"""Makes docs/reference/api.md from the descriptions of the scheduler's API."""

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


def api_page() -> str:
    """The text of the page."""
    v1 = V1(cast(Store, None), lambda: None)  # descriptions need no store
    able = (*operations(spec()), *operations(v1.application().openapi(), "/v1"))
    return _START + "".join(map(_section, able))


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
