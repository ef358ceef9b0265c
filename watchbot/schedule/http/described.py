"""Describes for OpenAPI the bodies and parameters that our own code reads."""

import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from watchbot.schedule.http.operations import spec
from watchbot.schedule.job.job import Job

_SCHEMAS = "#/components/schemas/"
_JOB = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}}


def takes(model: type[BaseModel] | None = None, *, job: bool = False) -> dict[str, Any]:
    """Route options for a body of this model; with `job`, for a path with a job's name."""
    extra: dict[str, Any] = {"parameters": [_JOB]} if job else {}
    if model is not None:
        schema = model.model_json_schema() if model is not Job else {"$ref": f"{_SCHEMAS}Job"}
        extra["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return {"openapi_extra": extra}


def pages() -> dict[str, Any]:
    """Route options for the list of jobs."""
    asked = spec()["paths"]["/jobs"]["get"]["parameters"]
    parameters = [
        {
            **{name: each[name] for name in ("name", "in", "description")},
            "schema": {name: each[name] for name in each.keys() - {"name", "in", "description"}},
        }
        for each in asked
    ]
    return {"openapi_extra": {"parameters": parameters}}


def complete(app: FastAPI) -> None:
    """Adds the schema of a job, and the answers to wrong requests."""
    document = app.openapi()
    definitions = json.dumps(spec()["definitions"]).replace("#/definitions/", _SCHEMAS)
    document.setdefault("components", {})["schemas"] = json.loads(definitions)
    for methods in document["paths"].values():
        for described in methods.values():
            described["responses"].pop("422", None)  # we answer 400 instead
            described["responses"]["400"] = {"description": "A field is wrong."}


def queries(route: Any) -> set[str]:
    """The names of a route's query parameters."""
    extra = (route.openapi_extra or {}).get("parameters", ())
    own = {parameter.alias for parameter in route.dependant.query_params}
    return own | {each["name"] for each in extra if each["in"] == "query"}
