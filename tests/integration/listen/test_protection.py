"""Scale-in protection, asked of a fake ECS agent on loopback."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from watchbot.listen.protection import Pace, Protection, protecting

PROTECT = {"ProtectionEnabled": True, "ExpiresInMinutes": 60}
UNPROTECT = {"ProtectionEnabled": False}

QUICK = Pace(renew_s=60, idle_s=0.03, call_s=0.05, retry=lambda _: 0.005)
SETTLED_S = 0.05  # longer than `idle_s`: what was not told by now will not be


async def settled() -> None:
    """Returns when the agent has been told all that it will be."""
    await anyio.sleep(SETTLED_S)  # that nothing comes announces itself by nothing else


def answer(status: int, content: object) -> bytes:
    body = json.dumps(content).encode()
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def failure(reason: str) -> bytes:
    return answer(200, {"failure": {"Arn": "arn:task", "Detail": None, "Reason": reason}})


def error(code: str, status: int = 400) -> bytes:
    return answer(status, {"requestID": "1", "error": {"Code": code, "Message": "no, sorry"}})


DONE = answer(200, {"protection": {"TaskArn": "arn:task"}})
HANG = b""
THROTTLED = error("ThrottlingException")
DENIED = error("AccessDeniedException")
TIMED_OUT = error("RequestCanceled", 504)
NOT_VALID = failure("TASK_NOT_VALID")
BLOCKED = failure("DEPLOYMENT_BLOCKED")


class Agent:
    """Answers from a script, then with what it `repeats`; it keeps what it was asked."""

    def __init__(self, *script: bytes, repeats: bytes = DONE) -> None:
        self.uri = ""
        self.heads: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self._script, self._repeats = list(script), repeats
        self._asked = anyio.Event()
        self._closing = anyio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Agent"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/c0ffee"
        try:
            yield self
        finally:
            self._closing.set()
            server.close()
            await server.wait_closed()

    async def asked(self, times: int) -> list[dict[str, Any]]:
        """The requests, once there are at least `count`."""
        while len(self.requests) < times:
            self._asked = anyio.Event()
            await self._asked.wait()
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length:")
        )
        self.heads.append(head)
        self.requests.append(json.loads(await reader.readexactly(length)))
        self._asked.set()
        said = self._script.pop(0) if self._script else self._repeats
        if said == HANG:
            await self._closing.wait()
        writer.write(said)
        writer.close()


class Hint:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


@asynccontextmanager
async def protected(
    agent: Agent, pace: Pace = QUICK, hint: Callable[[], None] = lambda: None
) -> AsyncIterator[Protection]:
    """A protection asked of this agent, while both are open."""
    with anyio.fail_after(1):
        async with agent.open(), protecting(agent.uri, hint, pace) as protection:
            yield protection


async def test_first_message_has_the_task_protected_at_once() -> None:
    agent = Agent()

    async with protected(agent, replace(QUICK, idle_s=60)) as protection:
        protection.busy()
        assert await agent.asked(1) == [PROTECT]

    head = agent.heads[0].splitlines()
    assert head[0].startswith("PUT /api/c0ffee/task-protection/v1/state HTTP/")
    assert "Content-Type: application/json" in head


async def test_idle_task_is_given_free_after_a_while() -> None:
    agent = Agent()

    async with protected(agent) as protection:
        protection.busy()
        await agent.asked(1)
        began = anyio.current_time()
        protection.idle()
        await agent.asked(2)

        assert anyio.current_time() - began >= QUICK.idle_s
        await settled()
    assert agent.requests == [PROTECT, UNPROTECT]


async def test_short_gap_between_jobs_is_not_told() -> None:
    agent = Agent()

    async with protected(agent) as protection:
        for _ in range(20):
            protection.busy()
            await anyio.sleep(0.001)  # the edge of a short job
            protection.idle()
        protection.busy()
        await settled()

        assert agent.requests == [PROTECT]


async def test_idle_watcher_asks_for_nothing() -> None:
    agent = Agent()

    async with protected(agent) as protection:
        protection.idle()
        await settled()

    assert agent.requests == []


async def test_protection_is_renewed_while_busy() -> None:
    agent = Agent()

    async with protected(agent, replace(QUICK, renew_s=0.01)) as protection:
        protection.busy()
        await agent.asked(4)

        assert agent.requests == [PROTECT] * 4


async def test_renewal_that_fails_is_tried_again() -> None:
    agent = Agent(DONE, THROTTLED, TIMED_OUT)

    async with protected(agent, replace(QUICK, renew_s=0.04)) as protection:
        protection.busy()
        await agent.asked(4)

    assert agent.requests == [PROTECT] * 4 + [UNPROTECT]


async def test_leaving_takes_the_protection_off() -> None:
    agent = Agent()

    async with protected(agent, replace(QUICK, idle_s=60)) as protection:
        protection.busy()
        await agent.asked(1)

    assert agent.requests == [PROTECT, UNPROTECT]


async def test_leaving_by_cancellation_takes_the_protection_off() -> None:
    agent = Agent()

    with anyio.fail_after(1):
        async with agent.open():
            with anyio.CancelScope() as scope:
                async with protecting(agent.uri, lambda: None, QUICK) as protection:
                    protection.busy()
                    await agent.asked(1)
                    scope.cancel()
                    await anyio.sleep_forever()

    assert agent.requests == [PROTECT, UNPROTECT]


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(THROTTLED, id="throttled"),
        pytest.param(DENIED, id="denied"),
        pytest.param(TIMED_OUT, id="ECS timed out"),
        pytest.param(BLOCKED, id="deployment blocked"),
        pytest.param(failure("SOMETHING_NEW"), id="unknown failure"),
        pytest.param(answer(200, {"error": "odd"}), id="error of another shape"),
        pytest.param(answer(200, ["odd"]), id="no object"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n", id="no JSON"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"prot', id="cut short"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="no HTTP"),
        pytest.param(b"\r\n\r\n", id="nothing"),
        pytest.param(HANG, id="no answer"),
    ],
)
async def test_refused_call_is_tried_again(
    answered: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(answered, answered)

    async with protected(agent) as protection:
        protection.busy()
        await agent.asked(3)
        await settled()

        assert agent.requests == [PROTECT] * 3
    assert failures(caplog) == ["task protection failed"]


async def test_complaint_comes_back_when_the_trouble_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Agent(repeats=THROTTLED)

    async with protected(agent, replace(QUICK, log_s=0)) as protection:
        protection.busy()
        await agent.asked(3)

    assert len(failures(caplog)) >= 2
    facts = caplog.records[0].__dict__
    assert (facts["code"], facts["reason"]) == ("ThrottlingException", "no, sorry")


async def test_pause_after_a_failure_grows_and_no_edge_cuts_it_short() -> None:
    agent = Agent(repeats=THROTTLED)
    asked_for: list[int] = []

    def pause(failures: int) -> float:
        asked_for.append(failures)
        return 0.01 if failures < 3 else 60

    async with protected(agent, replace(QUICK, retry=pause)) as protection:
        protection.busy()
        await agent.asked(3)
        for _ in range(20):
            protection.idle()
            protection.busy()
            await anyio.sleep(0.001)  # edges while the agent is asked

        assert len(agent.requests) == 3
    assert asked_for == [1, 2, 3]


async def test_task_that_was_refused_has_nothing_to_give_back() -> None:
    agent = Agent(repeats=DENIED)

    async with protected(agent) as protection:
        protection.busy()
        await agent.asked(2)
        protection.idle()
        await settled()

    assert UNPROTECT not in agent.requests


async def test_task_that_may_be_protected_is_given_free() -> None:
    agent = Agent(HANG)

    async with protected(agent, replace(QUICK, call_s=0.02)) as protection:
        protection.busy()
        await agent.asked(1)
        protection.idle()
        await agent.asked(2)
        await settled()

    assert agent.requests == [PROTECT, UNPROTECT]


async def test_refused_release_is_tried_again() -> None:
    agent = Agent(DONE, THROTTLED, TIMED_OUT)

    async with protected(agent) as protection:
        protection.busy()
        await agent.asked(1)
        protection.idle()
        await agent.asked(4)
        await settled()

    assert agent.requests == [PROTECT] + [UNPROTECT] * 3


async def test_task_of_no_service_gives_up_for_good(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(repeats=NOT_VALID)

    async with protected(agent) as protection:
        protection.busy()
        await agent.asked(1)
        await settled()
        protection.idle()
        protection.busy()
        await settled()

    assert agent.requests == [PROTECT]
    assert failures(caplog) == ["task protection given up: only a service's tasks have it"]


async def test_blocked_deployment_hints_once() -> None:
    agent, hint = Agent(BLOCKED, BLOCKED), Hint()

    async with protected(agent, hint=hint) as protection:
        protection.busy()
        await agent.asked(3)

    assert hint.times == 1


async def test_other_refusals_do_not_hint() -> None:
    agent, hint = Agent(THROTTLED, DENIED), Hint()

    async with protected(agent, hint=hint) as protection:
        protection.busy()
        await agent.asked(3)

    assert hint.times == 0


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://127.0.0.1:1/api/c0ffee", id="nobody listens"),
        pytest.param("https://127.0.0.1/api", id="not plain HTTP"),
        pytest.param("http://127.0.0.1:port/api", id="no port"),
        pytest.param("c0ffee", id="no address"),
        pytest.param("", id="empty"),
    ],
)
async def test_agent_out_of_reach_stops_nothing(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(1):
        async with protecting(uri, lambda: None, QUICK) as protection:
            protection.busy()
            await settled()
            protection.idle()
            await settled()

    assert failures(caplog) == ["task protection failed"]


async def test_hanging_agent_delays_neither_a_job_nor_the_end() -> None:
    agent = Agent(repeats=HANG)

    with anyio.fail_after(1):
        async with agent.open():
            began = anyio.current_time()
            async with protecting(agent.uri, lambda: None, QUICK) as one:
                one.busy()
                one.idle()
                one.busy()
                await agent.asked(1)
            assert anyio.current_time() - began < 0.3
