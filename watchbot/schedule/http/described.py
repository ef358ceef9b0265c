"""The bodies and parameters of requests that our own code reads, for OpenAPI."""

import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from watchbot.schedule.http.operations import spec
from watchbot.schedule.job.job import Job

_SCHEMAS = "#/components/schemas/"
_JOB = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}}


def takes(model: type[BaseModel] | None = None, *, job: bool = False) -> dict[str, Any]:
    """The options of a route that reads such a body, of one `job` by its name."""
    extra: dict[str, Any] = {"parameters": [_JOB]} if job else {}
    if model is not None:
        schema = model.model_json_schema() if model is not Job else {"$ref": f"{_SCHEMAS}Job"}
        extra["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return {"openapi_extra": extra}


def pages() -> dict[str, Any]:
    """The options of the route that lists jobs."""
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
    """Adds the shape of a job, and what is answered to a request that is wrong."""
    document = app.openapi()
    definitions = json.dumps(spec()["definitions"]).replace("#/definitions/", _SCHEMAS)
    document.setdefault("components", {})["schemas"] = json.loads(definitions)
    for methods in document["paths"].values():
        for described in methods.values():
            described["responses"].pop("422", None)  # we say 400
            described["responses"]["400"] = {"description": "A field is wrong."}


def queries(route: Any) -> set[str]:
    """The names that a route may find in its query."""
    extra = (route.openapi_extra or {}).get("parameters", ())
    own = {parameter.alias for parameter in route.dependant.query_params}
    return own | {each["name"] for each in extra if each["in"] == "query"}
