"""docs/reference/api.md, from what the scheduler's API says of itself."""

from typing import cast

from watchbot.schedule.http.operations import Operation, operations, spec
from watchbot.schedule.http.v1 import V1
from watchbot.schedule.store.store import Store

_START = """\
# The API of the scheduler

What `watchbot schedule` takes and answers. [Jobs](jobs.md) says what the fields of a job mean. For
programs: `/spec` (Swagger 2) and `/v1/openapi.json` (OpenAPI 3); for people: `/page/api`.

A body is JSON, of 64 KiB at most. What is wrong is answered with 400 and the names of the fields,
an unknown job with 404, a missing token with 401. Where the database does not answer: 503.

This page is made by `make docs`.
"""


def api_page() -> str:
    """The page."""
    v1 = V1(cast(Store, None), lambda: None)  # to describe takes no store
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
