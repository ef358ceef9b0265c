"""Talks with a Lambda runtime: batches become events, and results become answers."""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import time

from watchbot.listen.functions.answer import Failure, Fault, UnreadableAnswer, failures
from watchbot.listen.functions.event import NoRecord, cut, event, record
from watchbot.listen.functions.http import Server
from watchbot.listen.functions.runtime_api import Call, Invocation, RuntimeApi
from watchbot.listen.functions.variables import Function
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer, BadAnswer, NotReady
from watchbot.outcome import FAILED, Outcome
from watchbot.sqs.message import Message

_TRACE = re.compile(r"[ -~]{1,2048}")  # what a header may hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most bytes of an event, and the seconds within which a runtime asks for work."""

    event_bytes: int
    start_s: float


class LambdaDialogue:
    """A `Dialogue` by Lambda's Runtime API, served at a port for one process."""

    channel = None
    together = True

    def __init__(self, api: RuntimeApi, server: Server, function: Function, limits: Limits) -> None:
        self._api, self._server = api, server
        self._function, self._limits = function, limits
        self._records: dict[str, bytes | NoRecord] = {}  # by receipt, until it is handed over
        self._ids: list[str] = []  # of the messages that the process has not answered
        self._call: Call | None = None
        self._refused: NoRecord | None = None
        self.variables: Mapping[str, str] = {}

    def started(self) -> None:
        pass  # it asks for work when it is ready

    async def ready(self) -> None:
        if not await self._api.ready(self._limits.start_s):
            raise NotReady(f"it {self._not_asked}")

    def fits(self, batch: Sequence[Job]) -> int:
        known = self._records
        self._records = {}
        sizes: list[int] = []
        for job in batch:
            receipt = job.message.receipt
            found = self._records[receipt] = known.get(receipt) or self._record(job.message)
            if isinstance(found, NoRecord):
                return len(sizes) or 1
            sizes.append(len(found))
        return cut(sizes, self._limits.event_bytes)

    def hand(self, batch: Sequence[Job], deadline: float) -> None:
        messages = [job.message for job in batch]
        self._ids = [message.id for message in messages]
        self._call = self._refused = None
        records = []
        for message in messages:
            found = self._records.pop(message.receipt, None) or self._record(message)
            if isinstance(found, NoRecord):
                self._refused = found
                return
            records.append(found)
        invocation = Invocation(
            event=event(records),
            deadline=deadline,
            function_arn=self._function.arn,
            trace_id=_trace(messages),
        )
        self._call = self._api.call(invocation)

    async def answers(self) -> Sequence[Answer]:
        if (call := self._call) is None:
            return self._all(_failed(str(self._refused)))
        if not call.taken.done():
            await asyncio.wait([call.taken], timeout=self._limits.start_s)
        if not call.taken.done():
            raise BadAnswer(f"it {self._not_asked}")
        return self._read(await asyncio.shield(call.answer))

    def rest(self) -> Sequence[Answer]:
        self._server.read_dry()
        call = self._call
        if not self._ids or call is None or not call.answer.done() or call.answer.exception():
            return ()
        return self._read(call.answer.result())

    def overdue(self) -> None:
        self._server.read_dry()  # what came before is not late
        if self._call is not None:
            self._call.is_late = True

    def leave(self) -> bool:
        return False

    async def close(self) -> None:
        self._server.close()

    def _read(self, answer: bytes | Fault) -> Sequence[Answer]:
        if isinstance(answer, Fault):
            said = _failed(str(answer), answer.outcome, answer.tail)
            return self._all(replace(said, retry_after_s=answer.retry_after))
        try:
            failed = failures(answer, self._ids)
        except UnreadableAnswer as problem:
            return self._all(_failed(str(problem)))
        answers = [_answer(failed.get(name)) for name in self._ids]
        self._ids = []
        return answers

    def _all(self, answer: Answer) -> Sequence[Answer]:
        count, self._ids = len(self._ids), []
        return [answer] * count

    def _record(self, message: Message) -> bytes | NoRecord:
        try:
            return record(message, self._function.source_of(message), self._limits.event_bytes)
        except NoRecord as problem:
            return problem

    @property
    def _not_asked(self) -> str:
        return f"has not asked for work within {self._limits.start_s:g} s (--start-timeout)"


def _answer(failure: Failure | None) -> Answer:
    if failure is None:
        return Answer()
    if failure.exit is None:
        failed = _failed(failure.reason)
    else:
        failed = Answer(exit_code=failure.exit, reason=failure.reason)
    return replace(failed, retry_after_s=failure.retry_after)


def _failed(reason: str, outcome: Outcome = FAILED, detail: str = "") -> Answer:
    return Answer(exit_code=1, outcome=outcome, reason=reason, detail=detail)


def _trace(batch: Sequence[Message]) -> str:
    """The X-Ray trace of an invocation: the messages' own where they have one in common."""
    found = {message.system.get("AWSTraceHeader", "") for message in batch}
    [common, *others] = found
    if not others and _TRACE.fullmatch(common):
        return common
    return f"Root=1-{int(time()):08x}-{secrets.token_hex(12)};Sampled=0"
