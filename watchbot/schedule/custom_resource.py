"""Handles clockwork's custom resource in AWS Lambda: writes a stack's schedule to a table.

CloudFormation waits an hour for a missing answer. So the handler always answers, whatever error
occurs, and before Lambda's time limit.
"""

import hashlib
import json
import logging
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol

import anyio
from pydantic import ValidationError

from watchbot.aws import Client, open_client
from watchbot.errors import NotFound, UsageError, WatchbotError
from watchbot.schedule.imports.clockwork import fields_of_properties, row_of_fields
from watchbot.schedule.job.job import Job
from watchbot.schedule.job.problems import messages
from watchbot.settings.base import AwsEndpoint

MAX_ANSWER_BYTES = 4096  # CloudFormation's limit
MARGIN_S = 3  # before Lambda's time limit, to send the answer
_SEND_S = 2.5

_NEEDED = (
    *("RequestType", "ResponseURL", "StackId", "RequestId", "LogicalResourceId"),
    "ResourceProperties",
)

Event = Mapping[str, Any]

log = logging.getLogger(__name__)


class Context(Protocol):
    """Lambda's context of a call."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StackAnswer:
    """The result of a request; `reason` says why it failed."""

    physical_id: str
    reason: str | None = None


def handler(event: Event, context: Context) -> None:
    """Handles a request of CloudFormation, and sends the answer."""
    verdict = StackAnswer(physical_id=_failed_id(event), reason="it took too long")
    try:
        time_s = context.get_remaining_time_in_millis() / 1000 - MARGIN_S
        verdict = anyio.run(_decide, event, time_s)
    except Exception as error:  # any error must be answered: a missing answer costs an hour
        log.exception("request failed unexpectedly")
        verdict = StackAnswer(physical_id=_failed_id(event), reason=repr(error))
    finally:
        _send(event["ResponseURL"], answer(event, verdict))


def answer_by_hand(text: bytes) -> None:
    """Handles a request in JSON as the Lambda handler does.

    Raises `UsageError` if `text` is no request, and `WatchbotError` if the answer cannot be sent.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"standard input is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise UsageError("standard input is no request of CloudFormation: it is no JSON object")
    needed = [*_NEEDED, *(["PhysicalResourceId"] if event.get("RequestType") != "Create" else [])]
    missing = [name for name in needed if not event.get(name)]
    if missing:
        raise UsageError(
            f"standard input is no request of CloudFormation: it has no {', '.join(missing)}"
        )
    if not isinstance(event["ResourceProperties"], dict):
        problem = "its ResourceProperties are no JSON object"
        raise UsageError(f"standard input is no request of CloudFormation: {problem}")
    try:
        handler(event, _Patient())
    except (OSError, ValueError, HTTPException) as error:
        raise WatchbotError(f"the answer could not be sent to its ResponseURL: {error}") from error


class _Patient:
    """A Lambda context without a time limit."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def answer(event: Event, verdict: StackAnswer) -> bytes:
    """The body of the answer, in as many bytes as CloudFormation takes."""
    body = {
        "Status": "FAILED" if verdict.reason else "SUCCESS",
        "PhysicalResourceId": verdict.physical_id,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    room = MAX_ANSWER_BYTES - len(json.dumps({**body, "Reason": ""}))
    # As JSON a character has up to twelve bytes.
    reason = verdict.reason or ""
    while reason and len(json.dumps(reason)) - 2 > room:
        reason = reason[: len(reason) * 9 // 10]
    return json.dumps({**body, "Reason": reason} if reason else body).encode()


def physical_id(event: Event) -> str:
    """The physical id of a stack's schedule, which a repeated request does not change.

    A change of table or region changes the id, so that CloudFormation deletes the old resource.
    Keeps ids that clockwork gave, unless the table changes.
    """
    now, before = event["ResourceProperties"], event.get("OldResourceProperties", {})
    if event["RequestType"] == "Delete":
        return str(event["PhysicalResourceId"])
    old = event.get("PhysicalResourceId", "")
    if old and not old.startswith("wb-") and _table_of(now) == _table_of(before):
        return str(old)
    whole = "|".join([event["StackId"], event["LogicalResourceId"], *_table_of(now)])
    return f"wb-{hashlib.sha256(whole.encode()).hexdigest()[:40]}"


async def _decide(event: Event, time_s: float) -> StackAnswer:
    try:
        with anyio.fail_after(time_s):
            return await _carry_out(event)
    except TimeoutError:
        reason = "DynamoDB did not answer in time"
    except ValidationError as invalid:
        reason = f"the schedule is wrong: {json.dumps(messages(invalid, Job))}"
    except WatchbotError as error:
        reason = str(error)
    return StackAnswer(physical_id=_failed_id(event), reason=reason)


async def _carry_out(event: Event) -> StackAnswer:
    properties, job_id = event["ResourceProperties"], physical_id(event)
    table, region = _table_of(properties)
    verdict = StackAnswer(physical_id=job_id)
    if event["RequestType"] == "Delete":
        if table:
            async with open_client("dynamodb", AwsEndpoint(region=region or None)) as client:
                await _delete(client, table, job_id)
        return verdict
    if not table:
        raise UsageError("the property SchedulerDynamoDBTable is missing")
    fields = fields_of_properties(properties)
    job = Job.model_validate({**fields, "id": job_id})
    row = row_of_fields(job_id, str(properties.get("Name", "")), json.loads(job.stored()))
    async with open_client("dynamodb", AwsEndpoint(region=region or None)) as client:
        item = {column: {"S": text} for column, text in row.items()}
        await client.call("put_item", TableName=table, Item=item)
    return verdict


async def _delete(client: Client, table: str, job_id: str) -> None:
    try:
        await client.call("delete_item", TableName=table, Key={"id": {"S": job_id}})
    except NotFound:
        log.info("the table is gone, and the schedule with it", extra={"table": table})


def _table_of(properties: Mapping[str, Any]) -> tuple[str, str]:
    return str(properties.get("SchedulerDynamoDBTable", "")), str(properties.get("Region", ""))


def _failed_id(event: Event) -> str:
    """The physical id for a failed request; after a failed Create CloudFormation deletes it."""
    if event["RequestType"] == "Create":
        return physical_id(event)
    return str(event["PhysicalResourceId"])


def _send(url: str, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        url, body, {"content-type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=_SEND_S):  # noqa: S310 - CloudFormation gives the address
        log.info("answered")
