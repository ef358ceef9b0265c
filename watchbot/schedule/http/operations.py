"""Reads the operations of the API from its descriptions, Swagger 2 or OpenAPI 3."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation; `location` is path, query, header or body."""

    name: str
    location: str
    type: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method on a path; `answers` has a description for each status code."""

    method: str
    path: str
    summary: str
    fields: tuple[Parameter, ...]
    answers: tuple[tuple[str, str], ...]


def spec() -> dict[str, Any]:
    """ecs-scheduler's API in Swagger 2, with the fields of a job."""
    text = (files("watchbot.schedule.http") / "spec.json").read_text(encoding="utf-8")
    described: dict[str, Any] = json.loads(text)
    return described


def operations(document: Document, prefix: str = "") -> tuple[Operation, ...]:
    """All operations of a document, in order; each path begins with `prefix`."""
    return tuple(
        Operation(
            method=method.upper(),
            path=prefix + path,
            summary=described.get("summary", ""),
            fields=tuple(_fields(document, described, methods.get("parameters", ()))),
            answers=tuple(
                (code, answer.get("description", ""))
                for code, answer in described.get("responses", {}).items()
            ),
        )
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        if method in _METHODS
    )


def _fields(
    document: Document, described: Document, shared: Sequence[Document]
) -> Iterator[Parameter]:
    for parameter in (*shared, *described.get("parameters", ())):
        if parameter["in"] == "body":
            yield from _of_body(document, parameter["schema"])
        else:
            schema = parameter.get("schema", parameter)
            yield Parameter(
                name=parameter["name"],
                location=parameter["in"],
                type=_type(schema),
                required=parameter.get("required", False),
                text=parameter.get("description", ""),
            )
    for content in described.get("requestBody", {}).get("content", {}).values():
        yield from _of_body(document, content["schema"])


def _of_body(document: Document, schema: Document) -> Iterator[Parameter]:
    schema = _resolved(document, schema)
    for name, each in schema.get("properties", {}).items():
        yield Parameter(
            name=name,
            location="body",
            type=_type(each),
            required=name in schema.get("required", ()),
            text=each.get("description", ""),
        )


def _resolved(document: Document, schema: Document) -> Document:
    """The schema behind a `$ref`; of several alternatives, the first that is not null."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(document, choice)
    if "$ref" not in schema:
        return schema
    found = document
    for name in schema["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def _type(schema: Document) -> str:
    if choices := schema.get("anyOf"):
        return " or ".join(_type(choice) for choice in choices)
    kind = schema.get("format") or schema.get("type") or schema.get("$ref", "").rpartition("/")[2]
    bounds = [f"{name[:3]} {schema[name]}" for name in ("minimum", "maximum") if name in schema]
    return ", ".join([kind if isinstance(kind, str) else " or ".join(kind), *bounds])
