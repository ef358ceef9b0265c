"""Reads the sources of an import, with a reader for each kind."""

import base64
import functools
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from watchbot.address import netloc
from watchbot.aws import open_client
from watchbot.errors import DatabaseDown, DatabaseError, SettingError
from watchbot.patience import waiting
from watchbot.schedule.imports.clockwork import fields_of_row
from watchbot.schedule.imports.stacks import scan
from watchbot.settings.base import AwsEndpoint, describe
from watchbot.sql.database import open_database

MOST_HITS = 10_000  # Elasticsearch's limit for one search
ANSWER_S = 10
NO_SOURCE = (
    "must be FILE.json; sqlite:///FILE, s3://BUCKET/PREFIX or http://HOST:9200/INDEX of "
    "ecs-scheduler; or dynamodb://TABLE of ecs-scheduler or clockwork"
)

Found = tuple[str, dict[str, Any] | str]  # a job's name, and its fields or an error


def jobs_in(source: str, aws: AwsEndpoint) -> AsyncIterator[Found]:
    """Yields the jobs at `source`.

    Raises `SettingError` for a text that names no source; while reading, `DatabaseError` or
    `AwsError`.
    """
    try:
        parts = urlsplit(source)
        named = bool(parts.netloc or parts.path.strip("/")) and parts.port != 0
        reader = _READERS.get(parts.scheme) if named else None
    except ValueError:  # a bad port, or a bad address in brackets
        reader = None
    if reader is None:
        raise SettingError(describe("source"), NO_SOURCE)
    return reader(source, aws)


async def _in_json(path: str, _: AwsEndpoint) -> AsyncIterator[Found]:
    try:
        found = json.loads(await anyio.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot read {path!r}: {error.strerror}"
        raise SettingError(describe("source"), problem) from error
    except (ValueError, RecursionError) as error:
        problem = f"cannot read {path!r}: it is no JSON ({error})"
        raise SettingError(describe("source"), problem) from error
    for number, fields in enumerate(found if isinstance(found, list) else [found], 1):
        if not isinstance(fields, dict):
            yield f"job {number}", "it is no JSON object"
        elif name := fields.get("id") or fields.get("taskDefinition"):
            yield str(name), _without_nulls(fields)
        else:
            yield f"job {number}", "it has neither id nor taskDefinition"


async def _in_sqlite(source: str, _: AwsEndpoint) -> AsyncIterator[Found]:
    async with open_database(source, create=False, option="source") as old:
        for row in await old.fetch("SELECT id, data FROM jobs ORDER BY id"):
            yield str(row["id"]), _read(row["data"])


async def _in_s3(source: str, aws: AwsEndpoint) -> AsyncIterator[Found]:
    parts = urlsplit(source)
    bucket, prefix = parts.netloc, parts.path.strip("/")
    start = f"{prefix}/" if prefix else ""
    token: dict[str, str] = {}
    async with open_client("s3", aws) as client:
        while True:
            answer = await client.call(
                "list_objects_v2", Bucket=bucket, Prefix=start, Delimiter="/", **token
            )
            for entry in answer.get("Contents", ()):
                name = entry["Key"].removeprefix(start)
                if name.endswith(".json"):
                    found = await client.call("get_object", Bucket=bucket, Key=entry["Key"])
                    text = await found["Body"].read()
                    yield name.removesuffix(".json"), _read(text.decode(errors="replace"))
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}


async def _in_dynamodb(source: str, aws: AwsEndpoint) -> AsyncIterator[Found]:
    async with open_client("dynamodb", aws) as client:
        async for row in scan(client, urlsplit(source).netloc):
            if "job-id" in row:
                yield row["job-id"], _read(row.get("json-data", ""))
            else:
                yield row.get("id", "?"), _of_clockwork(row)


async def _in_elasticsearch(source: str, _: AwsEndpoint) -> AsyncIterator[Found]:
    asked = functools.partial(anyio.to_thread.run_sync, _search, source)
    for hit in await waiting().answer("Elasticsearch", asked):
        fields = hit.get("_source")
        yield (
            str(hit.get("_id")),
            _without_nulls(fields) if isinstance(fields, dict) else "it is no JSON object",
        )


def _search(url: str) -> list[dict[str, Any]]:
    parts = urlsplit(url)
    server = netloc(parts.hostname or "", parts.port or 9200)
    shown_url = f"{parts.scheme}://{server}{parts.path.rstrip('/')}"
    asked = json.dumps({"size": MOST_HITS}).encode()
    request = urllib.request.Request(  # noqa: S310 - the scheme is http or https
        f"{shown_url}/_search", asked, {"content-type": "application/json"}
    )
    if parts.password:
        known = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request.add_header("authorization", f"Basic {known}")
    try:
        with _OPENER.open(request, timeout=ANSWER_S) as answer:
            hits = _hits(json.load(answer))
    except (OSError, ValueError, RecursionError, HTTPException) as error:
        raise DatabaseDown(shown_url, f"no answer of Elasticsearch: {error}") from error
    if len(hits) == MOST_HITS:
        raise DatabaseError(shown_url, f"it has more than {MOST_HITS - 1} jobs")
    return hits


def _hits(answer: Any) -> list[dict[str, Any]]:
    """The hits of a search. Raises `ValueError` if the answer is not a search result."""
    within = answer.get("hits") if isinstance(answer, dict) else None
    hits = within.get("hits") if isinstance(within, dict) else None
    if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
        raise ValueError("the answer is not the result of a search")
    return hits


class _Here(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, because a password would go to the other server."""

    def redirect_request(self, *asked: Any) -> None:
        asked[1].close()  # the answer
        raise OSError(f"the server redirects to {asked[-1][:200]}; name that if you trust it")


_OPENER = urllib.request.build_opener(_Here)


def _of_clockwork(row: Mapping[str, str]) -> dict[str, Any] | str:
    try:
        return fields_of_row(row)
    except ValueError as error:
        return str(error)


def _read(text: Any) -> dict[str, Any] | str:
    try:
        fields = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return "its data are no JSON"
    if not isinstance(fields, dict):
        return "its data are no JSON object"
    return _without_nulls(fields)


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_READERS: Mapping[str, Callable[[str, AwsEndpoint], AsyncIterator[Found]]] = {
    "": _in_json,
    "sqlite": _in_sqlite,
    "s3": _in_s3,
    "dynamodb": _in_dynamodb,
    "http": _in_elasticsearch,
    "https": _in_elasticsearch,
}
