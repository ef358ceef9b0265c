"""Runtimes of Lambda, which ask for work at a Runtime API that no network carries."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import cast

from tests.simulation.watcher.history import Planned
from tests.simulation.watcher.known import Run
from tests.simulation.watcher.processes import Machine
from tests.simulation.watcher.talkers import Talker
from watchbot.listen.care import Ending
from watchbot.listen.functions.dialogue import LambdaDialogue, Limits
from watchbot.listen.functions.event import EventSource
from watchbot.listen.functions.http import Desk, Reply, Request, Server, Talk
from watchbot.listen.functions.runtime_api import RuntimeApi
from watchbot.listen.functions.variables import Function
from watchbot.listen.spawn import Start
from watchbot.settings.listen import WatcherSettings

OK, TAKEN = 200, 202
RUNTIME = "/2018-06-01/runtime"
API = "AWS_LAMBDA_RUNTIME_API"
SOURCE = EventSource("arn:aws:sqs:us-east-1:123456789012:work")
FUNCTION = Function(name="f", handler=None, source=SOURCE, memory_mb=128)


class Wires:
    """What runtimes and their Runtime APIs are connected by; an `Opener` of the dialogues."""

    def __init__(self, settings: WatcherSettings, machine: Machine) -> None:
        self._limits = Limits(event_bytes=settings.max_event, start_s=settings.start_timeout)
        self._machine = machine
        self.desks: dict[str, Counter] = {}  # by address

    async def __call__(self, worker: int, scratch: str) -> LambdaDialogue:
        api = RuntimeApi(worker=worker)
        counter, address = Counter(api, self._machine), f"api-{len(self.desks)}"
        self.desks[address] = counter
        dialogue = LambdaDialogue(api, cast(Server, counter), FUNCTION, self._limits)
        dialogue.variables = {API: address}
        return dialogue


class Counter:
    """Where the requests of one runtime come in, in order: a `Server` without a port."""

    def __init__(self, desk: Desk, machine: Machine) -> None:
        self._desk, self._machine = desk, machine
        self._inside = copy_context()  # of the watcher, which may stand still
        self._come: deque[tuple[Request, Talk]] = deque()
        self.closed = False

    def ask(self, request: Request, talk: Talk) -> None:
        if self.closed:
            cast(Asked, talk).hung_up()
            return
        self._come.append((request, talk))
        asyncio.get_running_loop().call_soon(self._serve, context=self._inside)

    def read_dry(self) -> None:
        while self._come and self._serves:
            self._serve()

    def close(self) -> None:
        self.closed = True
        for _, talk in self._come:
            cast(Asked, talk).hung_up()

    @property
    def _serves(self) -> bool:
        return not self.closed and not self._machine.dead

    def _serve(self) -> None:
        if self._come and self._serves:
            self._desk.asked(*self._come.popleft())


class Asked:
    """A request under way, as its `Talk`. `replied` hears the status at once."""

    def __init__(self, runtime: "Runtime", replied: Callable[[int], None]) -> None:
        self._runtime, self._replied = runtime, replied

    def reply(self, reply: Reply) -> None:
        self._replied(reply.status)
        outside = self._runtime.machine.outside
        asyncio.get_running_loop().call_soon(self._runtime.hear, reply, context=outside)

    def hung_up(self) -> None:
        """Hears that no reply will come."""
        self._replied(0)


class Runtime(Talker):
    """A runtime: asks for an event, has its function work on each record, and answers."""

    def __init__(self, machine: Machine, start: Start, odd: str, wires: Wires) -> None:
        self._counter = wires.desks[start.environment[API.encode()].decode()]
        self._worked_on: list[tuple[Run, Planned]] = []
        self._request_id = ""
        super().__init__(machine, start, odd, stays=True)

    def orphaned(self) -> None:
        if not self.in_hand:
            self.exits(1)

    def begin(self) -> None:
        if self.exited.done():
            return
        if self.odd in ("early", "hangs_up"):
            self._post("init/error", b'{"errorType": "NoModule"}', _unheeded)
            self.exits(1)
        elif self.odd != "deaf":
            super().begin()

    def idle(self) -> None:
        if self.machine.dead or self._counter.closed:
            self.exits(1)
            return
        self.at_work = True  # until there is an answer
        self._post("invocation/next", b"", _unheeded, method="GET")

    def ended(self, how: str, ending: Ending) -> None:
        self.in_hand.extendleft(reversed(self._worked_on))
        super().ended(how, ending)

    def finish(self, run: Run, plan: Planned) -> None:
        self.at_work = False
        self._worked_on.append(self.in_hand.popleft())
        if not self.in_hand:
            self._conclude([each for _, each in self._worked_on])
        self.work_on()

    def _conclude(self, plans: list[Planned]) -> None:
        """Answers for all records of the event."""
        answer = f"invocation/{self._request_id}/response"
        how = next((plan.how for plan in plans if plan.how), "")
        if how == "hangup":
            self.exits(1)
        elif how == "torn":
            error = b'{"errorType": "Boom", "errorMessage": "as simulated"}'
            self._post(f"invocation/{self._request_id}/error", error, self._failing())
        elif how == "skip":
            self._post(answer, _failures(["nobody"], [1]), self._failing())
        elif how == "garbage":
            self._post(answer, b"what?", self._failing())
        else:
            failed = [(run, plan) for run, plan in self._worked_on if plan.code]
            names = [run.message_id for run, _ in failed]
            body = _failures(names, [plan.code for _, plan in failed])
            codes = [plan.code for plan in plans]
            self._post(answer, body, self._answering(codes))
            if how == "twice":
                self._post(answer, body, _unheeded)

    def _failing(self) -> Callable[[int], None]:
        return self._answering([1] * len(self._worked_on))

    def _answering(self, codes: Sequence[int]) -> Callable[[int], None]:
        """Hears whether the answer with these exit codes was taken."""
        runs = [run for run, _ in self._worked_on]
        self._worked_on.clear()

        def replied(status: int) -> None:
            laws = self.machine.laws
            for run, code in zip(runs, codes, strict=True):
                taken = status == TAKEN
                laws.ends(run, f"answer {code}, {status}", finished=taken and code in (0, 3))
                if taken:
                    laws.answers.answered(run, code)
                else:
                    laws.answers.broke(run)

        return replied

    def hear(self, reply: Reply) -> None:
        """Hears a reply of the Runtime API."""
        if self.exited.done() or reply.status != OK:  # taken or not, it goes on
            return
        self.at_work = False
        self._request_id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
        self.take(
            [
                (each["messageId"], int(each["attributes"]["ApproximateReceiveCount"]))
                for each in json.loads(reply.body)["Records"]
            ]
        )

    def _post(
        self, what: str, body: bytes, replied: Callable[[int], None], method: str = "POST"
    ) -> None:
        request = Request(
            method=method,
            path=f"{RUNTIME}/{what}",
            headers={},
            trailers={},
            body=body,
            size=len(body),
        )
        self._counter.ask(request, cast(Talk, Asked(self, replied)))


def _failures(names: Sequence[str], codes: Sequence[int]) -> bytes:
    failed = [
        {"itemIdentifier": name, "exit": code} for name, code in zip(names, codes, strict=True)
    ]
    return json.dumps({"batchItemFailures": failed}).encode()


def _unheeded(status: int) -> None:
    """Hears a status that says nothing of a message."""
