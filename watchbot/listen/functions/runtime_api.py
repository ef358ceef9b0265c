"""Lambda's Runtime API for one process: it asks here for work, and answers here.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import base64
import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from watchbot.listen.functions.answer import Fault, fault
from watchbot.listen.functions.http import Reply, Request, Talk
from watchbot.listen.warm.dialogue import BadAnswer, NotReady

MAX_ANSWER_BYTES = 6 * 1024 * 1024  # Lambda's limit
MAX_COMPLAINTS = 20  # lines of the log about one process

TOO_LATE = "it came after the deadline"
UNANSWERED = "it asked for more work before it had answered"

_RUNTIME = "/2018-06-01/runtime/"
_ACCEPTED = Reply(202, b'{"status":"OK"}\n')
_ERROR_TYPE = "lambda-runtime-function-error-type"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The input of a call of a function. `deadline` is in seconds since 1970."""

    event: bytes
    deadline: float
    function_arn: str
    trace_id: str


class Call:
    """An invocation under way. `answer` is what the function returned, or its error.

    `is_late`: its deadline has passed, and an answer is taken no more, as in Lambda.
    """

    def __init__(self, invocation: Invocation) -> None:
        loop = asyncio.get_running_loop()
        self.id = str(uuid.uuid4())
        self.invocation = invocation
        self.taken: asyncio.Future[None] = loop.create_future()  # the runtime has the event
        self.answer: asyncio.Future[bytes | Fault] = loop.create_future()
        self.is_late = False

    def settle(self, answer: bytes | Fault) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    @property
    def under_way(self) -> bool:
        """Whether the runtime has taken the invocation, and has not answered."""
        return self.taken.done() and not self.answer.done()

    @property
    def reply(self) -> Reply:
        called = self.invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.id,
            "Lambda-Runtime-Deadline-Ms": str(int(called.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": called.function_arn,
            "Lambda-Runtime-Trace-Id": called.trace_id,
        }
        return Reply(200, called.event, headers)


class RuntimeApi:
    """A `Desk` for the runtime of one process.

    Serves one invocation at a time, even if the runtime asks from several processes of its own.
    With `concurrent` it may do so: a process may ask while another one has work.
    """

    max_body_bytes = MAX_ANSWER_BYTES

    def __init__(self, *, worker: int, concurrent: bool = False) -> None:
        self._worker, self._concurrent = worker, concurrent
        self._asking: list[Talk] = []
        self._call: Call | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._complaints = 0

    async def ready(self, within_s: float) -> bool:
        """Returns once the runtime has asked for work; False if it has not `within_s` seconds.

        Raises `NotReady` when it cannot start.
        """
        await asyncio.wait([self._ready], timeout=within_s)
        return self._ready.done() and self._ready.result() is None

    def call(self, invocation: Invocation) -> Call:
        """Passes the event to the runtime at its next request for work."""
        if self._call is not None and not self._call.answer.done():
            raise RuntimeError("one invocation at a time")
        call = self._call = Call(invocation)
        self._hand_over()
        return call

    # The HTTP server calls these methods.

    def asked(self, request: Request, talk: Talk) -> None:
        what = request.path.removeprefix(_RUNTIME) if request.path.startswith(_RUNTIME) else ""
        match request.method, what.split("/"):
            case "GET", ["invocation", "next"]:
                self._next(talk)
            case "POST", ["init", "error"]:
                talk.reply(self._init_error(request))
            case "POST", ["invocation", name, "response" | "error" as kind]:
                talk.reply(self._answered(name, request, _error if kind == "error" else _response))
            case _:
                talk.reply(_refusal(404, "NotFound", "Lambda has this; watchbot does not serve it"))

    def gone(self, talk: Talk) -> None:
        if talk in self._asking:
            self._asking.remove(talk)

    def garbled(self, what: str) -> None:
        self._complain("what came is no request of the Runtime API", what)

    def _next(self, talk: Talk) -> None:
        call = self._call
        if call is not None and call.under_way and not self._concurrent:
            talk.reply(_refusal(403, "InvalidStateTransition", UNANSWERED))
            call.answer.set_exception(BadAnswer(UNANSWERED))
            call.answer.exception()  # marks the error as seen, because nobody may wait for it
            return
        self._asking.append(talk)
        if not self._ready.done():
            self._ready.set_result(None)
        self._hand_over()

    def _hand_over(self) -> None:
        call = self._call
        if call is not None and not call.taken.done() and self._asking:
            call.taken.set_result(None)
            self._asking.pop(0).reply(call.reply)

    def _init_error(self, request: Request) -> Reply:
        if self._ready.done():
            reason = "the runtime has started already"
            self._complain("an error of its start came late", reason)
            return _refusal(403, "InvalidStateTransition", reason)
        self._ready.set_exception(NotReady(str(_error(request))))
        self._ready.exception()  # marks the error as seen, because nobody may wait for it
        return _ACCEPTED

    def _answered(
        self, name: str, request: Request, read: Callable[[Request], bytes | Fault]
    ) -> Reply:
        call = self._call
        if call is None or name != call.id or not call.under_way:
            again = call is not None and name == call.id
            what = "answered twice" if again else "an id that it does not have"
            self._complain("an answer was not taken", f"{what}: {name[:40]}")
            return _refusal(400, "InvalidRequestID", "Invalid request ID")
        if call.is_late:
            self._complain("an answer was not taken", TOO_LATE)
            return _refusal(410, "Function.Timeout", TOO_LATE)
        if request.size > MAX_ANSWER_BYTES:
            most = f"{MAX_ANSWER_BYTES:,} bytes"
            call.settle(Fault("Function.ResponseSizeTooLarge", f"its answer is over {most}"))
            return _refusal(413, "RequestEntityTooLarge", f"an answer has at most {most}")
        call.settle(read(request))
        return _ACCEPTED

    def _complain(self, phrase: str, reason: str) -> None:
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            log.warning(phrase, extra={"worker": self._worker, "reason": reason})


def _response(request: Request) -> bytes | Fault:
    """The function's answer. A streamed answer may still end with an error."""
    named = request.trailers.get(_ERROR_TYPE)
    if named is None:
        return request.body
    return fault(_decoded(request.trailers.get("lambda-runtime-function-error-body", "")), named)


def _error(request: Request) -> Fault:
    return fault(request.body, request.headers.get(_ERROR_TYPE))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _refusal(status: int, kind: str, message: str) -> Reply:
    body = json.dumps({"errorMessage": message, "errorType": kind}).encode()
    return Reply(status, body + b"\n")
