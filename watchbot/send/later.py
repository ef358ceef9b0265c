"""Gives messages to a scheduler that sends them later, each as a job of its own that runs once."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from anyio import to_thread

from watchbot.errors import AwsError, Denied, GaveUp, NotFound, Unreachable
from watchbot.patience import NoAnswerInTime, waiting
from watchbot.send.when import Keeper
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.destination import Result, in_envelope
from watchbot.sqs.outgoing import Outgoing, Unsent

ANSWER_TIMEOUT_S = 10
MOST_BYTES = 100_000  # the most that is read of an answer
PATH = "/v1/jobs"

# A message is not lost because the scheduler was away at its time, or the queue was.
_PATIENT = {
    "misfire": {"policy": "all", "grace": 31_536_000},
    "retry": {"attempts": 185, "maxAge": 82_800},
}
_REFUSED = (400, 413, 422)  # the message itself is to blame
_CALL = {"service": "scheduler", "operation": f"POST {PATH}"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None  # the token is for this address alone


# A scheduler is nearby: no proxy is used.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


class ScheduledDestination:
    """A topic or queue to which a scheduler sends at `at`. The id of a message is its job's name.

    A message that is given twice, because no answer came, is one job: its name is made before.
    """

    def __init__(self, keeper: Keeper, target: str, at: datetime) -> None:
        self._keeper, self._target, self._at = keeper, target, at

    @property
    def fifo(self) -> bool:
        return is_fifo(self._target)

    def fit(self, message: Outgoing) -> Outgoing:
        topic = self._target.startswith("arn:")
        fitted = message if topic else in_envelope(message)
        return replace(fitted, dedup_id=f"send-{uuid4()}")

    async def send(self, messages: Sequence[Outgoing]) -> list[Result]:
        results: list[Result] = []
        for message in messages:
            try:
                results.append(await self._give(message))
            except AwsError as error:
                if not results:
                    raise
                rest = Unsent(code=error.code, text=error.text, passing=True)
                return [*results, *[rest] * (len(messages) - len(results))]
        return results

    async def _give(self, message: Outgoing) -> Result:
        job = self._job(message)
        try:
            status, said = await waiting().answer(
                f"the scheduler at {self._keeper.url}",
                lambda: to_thread.run_sync(self._post, job, abandon_on_cancel=True),
            )
        except NoAnswerInTime as fault:
            raise GaveUp(code="NoAnswer", text=str(fault), hint=_HINT, **_CALL) from fault
        except (OSError, http.client.HTTPException) as fault:
            reason = " ".join(str(getattr(fault, "reason", None) or fault).split())
            raise Unreachable(code="NoAnswer", text=reason, hint=_HINT, **_CALL) from fault
        if status in (201, 409):  # 409: an earlier try came through
            return str(job["id"])
        if status in _REFUSED:
            return Unsent(code=f"scheduler: {status}", text=said)
        raise _error(status)(code=str(status), text=said, hint=_HINTS.get(status, _HINT), **_CALL)

    def _post(self, job: Mapping[str, Any]) -> tuple[int, str]:
        request = urllib.request.Request(  # noqa: S310 - the settings take http and https alone
            self._keeper.url + PATH,
            data=json.dumps(job).encode(),
            headers={"Content-Type": "application/json", **self._shown_token()},
            method="POST",
        )
        try:
            with _OPENER.open(request, timeout=ANSWER_TIMEOUT_S) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _words(refusal.read(MOST_BYTES))

    def _shown_token(self) -> dict[str, str]:
        token = self._keeper.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _job(self, message: Outgoing) -> dict[str, Any]:
        return {
            "id": message.dedup_id,
            "schedule": f"at({_second(self._at)})",
            "dialect": "eventbridge",
            "passDueAt": False,
            "removeWhenDone": True,
            **_PATIENT,
            "target": _given(self._to(message)),
        }

    def _to(self, message: Outgoing) -> dict[str, Any]:
        topic = self._target.startswith("arn:")
        where = {"topicArn" if topic else "queueUrl": self._target}
        return {
            "type": "sns" if topic else "sqs",
            **where,
            "message": message.body,
            "subject": message.subject,
            "groupId": message.group_id,
            "attributes": {
                name: {"type": attribute.type, "value": attribute.value}
                for name, attribute in message.attributes.items()
            },
        }


_HINT = "check --scheduler-url (WATCHBOT_SCHEDULER_URL), and that `watchbot schedule` runs there"
_HINTS = dict.fromkeys((401, 403), "check --token (WATCHBOT_TOKEN)")


def _error(status: int) -> type[AwsError]:
    if status in (401, 403):
        return Denied
    return Unreachable if status >= 500 or status == 429 else NotFound


def _second(at: datetime) -> str:
    """The time in UTC without an offset, in whole seconds; never before it."""
    whole = at.astimezone(UTC).replace(microsecond=0)
    return f"{whole if whole >= at else whole + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _words(answer: bytes) -> str:
    """What the scheduler says is wrong, in one line."""
    try:
        said = json.loads(answer)
        problems = said.get("messages", said.get("message", said))
    except (ValueError, AttributeError, RecursionError):
        problems = answer.decode(errors="replace")
    words = problems if isinstance(problems, str) else json.dumps(problems, ensure_ascii=False)
    return " ".join(words.split())[:500].rstrip(".")
