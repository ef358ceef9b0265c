"""Reads the body of a request, a JSON object, and refuses other bodies."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watchbot.schedule.job.job import Job
from watchbot.schedule.job.problems import WRONG_BODY, messages
from watchbot.schedule.store.stored import NeverFires

_NOT_JSON = "The browser (or proxy) sent a request that this server could not understand."
_UNWRITABLE = "Has a character that no text may have: NUL, or half of a pair of surrogates."
_WRONG_TYPE = "Header Content-Type: application/json required to send a request body."


Asked = TypeVar("Asked", bound=BaseModel)


class BadBody(Exception):
    """A body that cannot be used; `problems` is a tree in the body's shape."""

    def __init__(self, problems: Mapping[str, Any]) -> None:
        super().__init__(str(problems))
        self.problems = problems


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises `HTTPException` (415, 400) or `BadBody`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, _WRONG_TYPE)
    try:
        found = json.loads(await request.body(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise HTTPException(400, _NOT_JSON) from None
    if not isinstance(found, dict):
        raise BadBody(WRONG_BODY)
    flawed = dict(unwritable(found))
    if flawed:
        raise BadBody(flawed)
    return found


async def read_body(request: Request, model: type[Asked]) -> Asked:
    """The body as this model; a missing body counts as an empty object.

    Raises `HTTPException` (415, 400) or `BadBody`, which names all wrong fields.
    """
    found = await read_object(request) if await request.body() else {}
    try:
        return model.model_validate(found)
    except ValidationError as invalid:
        raise BadBody(messages(invalid, model)) from None


def unwritable(value: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yields a path and an error for each text that no store can hold."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            yield path or "_schema", [_UNWRITABLE]
    elif isinstance(value, dict):
        for name, inner in value.items():
            if dict(unwritable(name)):
                yield path or "_schema", [_UNWRITABLE]
            else:
                yield from unwritable(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from unwritable(inner, f"{path}.{number}" if path else str(number))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


async def answer_status(_: Request, error: Exception) -> Response:
    """Answers an HTTP error as JSON."""
    refused = cast(HTTPException, error)
    return JSONResponse({"message": refused.detail}, refused.status_code, refused.headers)


async def answer_problems(_: Request, error: Exception) -> Response:
    """Answers a bad body with its errors by field."""
    problems = error.problems if isinstance(error, BadBody) else None
    if isinstance(error, ValidationError):
        problems = messages(error, Job)
    if isinstance(error, NeverFires):
        problems = {"schedule": [str(error)], "parsedSchedule": [str(error)]}
    return JSONResponse({"messages": problems}, 400)
