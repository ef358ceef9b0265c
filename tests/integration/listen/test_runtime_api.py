"""The Runtime API as a runtime meets it: on loopback, in HTTP."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from watchbot.listen.functions import http
from watchbot.listen.functions.answer import Fault
from watchbot.listen.functions.runtime_api import (
    MAX_ANSWER_BYTES,
    MAX_COMPLAINTS,
    Invocation,
    RuntimeApi,
)
from watchbot.listen.warm.dialogue import BadAnswer, NotReady

CALLED = Invocation(
    event=b'{"Records":[]}',
    deadline=1_700_000_000.25,
    function_arn="arn:aws:lambda:eu-central-1:123456789012:function:f",
    trace_id="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
)


class Runtime:
    """A runtime that does what a test tells it to."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.base = f"http://{address}/2018-06-01/runtime"
        self._session = session

    async def ask(self) -> tuple[int, str, bytes]:
        """The status, the request's id and the event."""
        async with self._session.get(f"{self.base}/invocation/next") as found:
            name = found.headers.get("Lambda-Runtime-Aws-Request-Id", "")
            return found.status, name, await found.read()

    async def post(self, path: str, body: Any = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.post(f"{self.base}/{path}", data=body, headers=named) as found:
            return found.status, await found.json()

    async def answer(self, name: str, body: Any = b"null") -> int:
        return (await self.post(f"invocation/{name}/response", body))[0]


@asynccontextmanager
async def at_work(**options: Any) -> AsyncIterator[tuple[RuntimeApi, Runtime]]:
    api = RuntimeApi(worker=0, **options)
    server = http.Server(api)
    try:
        async with aiohttp.ClientSession() as session:
            yield api, Runtime(await server.open(), session)
    finally:
        server.close()


@asynccontextmanager
async def raw(runtime: Runtime) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = runtime.base.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield reader, writer
    writer.close()


async def test_a_runtime_that_asks_is_handed_the_event_with_lambdas_headers() -> None:
    async with at_work() as (api, runtime), aiohttp.ClientSession() as session:
        call = api.call(CALLED)
        async with session.get(f"{runtime.base}/invocation/next") as found:
            assert await found.read() == CALLED.event
            headers = found.headers
        name = headers["Lambda-Runtime-Aws-Request-Id"]
        status, said = await runtime.post(f"invocation/{name}/response", b'{"a": 1}')

        assert (status, said) == (202, {"status": "OK"})
        assert await call.answer == b'{"a": 1}'
        assert headers["Lambda-Runtime-Deadline-Ms"] == "1700000000250"
        assert headers["Lambda-Runtime-Invoked-Function-Arn"] == CALLED.function_arn
        assert headers["Lambda-Runtime-Trace-Id"] == CALLED.trace_id
        assert headers["Content-Type"] == "application/json"


async def test_a_runtime_waits_for_work_and_each_invocation_has_an_id_of_its_own() -> None:
    async with at_work() as (api, runtime):
        names = []
        for number in (b"1", b"2"):
            asked = asyncio.create_task(runtime.ask())
            await api.ready(10)
            call = api.call(CALLED)
            _, name, _ = await asked
            await runtime.answer(name, number)
            assert await call.answer == number
            names.append(name)

        assert len({*names}) == 2


async def test_an_error_says_what_its_runtime_says_with_a_cause_of_one_mebibyte() -> None:
    body = json.dumps({"errorType": "KeyError", "errorMessage": "'id'", "stackTrace": ["f()"]})
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        cause = {"Lambda_Runtime_Function_XRay_Error_Cause": "x" * 1024 * 1024}
        status, _ = await runtime.post(f"invocation/{name}/error", body, **cause)

        assert status == 202
        assert await call.answer == Fault("KeyError", "'id'", ("f()",))


async def test_an_answer_may_come_in_chunks() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for part in (b'{"a"', b": 1", b"}"):
            yield part

    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        mode = {"Lambda_Runtime_Function_Response_Mode": "streaming"}
        status, _ = await runtime.post(f"invocation/{name}/response", chunks(), **mode)

        assert status == 202
        assert await call.answer == b'{"a": 1}'


HALF_WAY = base64.b64encode(b'{"errorMessage": "half way", "stackTrace": []}')


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(HALF_WAY, "half way", id="told"),
        pytest.param(b"abc", "", id="no base64"),
    ],
)
async def test_a_stream_that_ends_with_an_error_has_failed_though_it_began_well(
    error: bytes, text: str
) -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        async with raw(runtime) as (reader, writer):
            writer.write(
                f"POST /2018-06-01/runtime/invocation/{name}/response HTTP/1.1\r\n"
                "Host: x\r\nTransfer-Encoding: chunked\r\n"
                "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
                "2\r\n{}\r\n0\r\n"
                "Lambda-Runtime-Function-Error-Type: Oops\r\n"
                "Lambda-Runtime-Function-Error-Body: ".encode()
                + error
                + b"\r\n\r\n"
            )
            assert b"202 Accepted" in await reader.readline()

        assert await call.answer == Fault("Oops", text)


async def test_a_client_that_asks_whether_to_go_on_is_told_to() -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        async with raw(runtime) as (reader, writer):
            writer.write(
                f"POST /2018-06-01/runtime/invocation/{name}/response HTTP/1.1\r\n"
                "Host: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
            )
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            writer.write(b"{}")
            assert await call.answer == b"{}"


async def test_an_offer_of_another_protocol_is_passed_over() -> None:
    ask = (
        b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    )
    async with at_work() as (api, runtime), raw(runtime) as (reader, writer):
        for number in (b"1", b"2"):
            call = api.call(CALLED)
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(CALLED.event))
            name = head.decode().partition("Request-Id: ")[2].partition("\r\n")[0]
            await runtime.answer(name, number)
            assert await call.answer == number


async def test_a_second_answer_is_refused_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        assert await runtime.answer(name, b"1") == 202
        status, said = await runtime.post(f"invocation/{name}/response", b"2")

        assert (status, said["errorType"]) == (400, "InvalidRequestID")
        assert await call.answer == b"1"
        assert await runtime.answer(name, b"3") == 400
    assert [record.getMessage() for record in caplog.records] == ["an answer was not taken"] * 2


async def test_an_answer_after_the_deadline_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        call.is_late = True
        status, said = await runtime.post(f"invocation/{name}/error", b"{}")

        assert (status, said["errorType"]) == (410, "Function.Timeout")
        assert not call.answer.done()
    assert [record.getMessage() for record in caplog.records] == ["an answer was not taken"]


async def test_an_answer_for_an_invocation_of_another_worker_is_refused() -> None:
    async with at_work() as (one, mine), at_work() as (other, its):
        first = one.call(CALLED)
        second = other.call(CALLED)
        _, name, _ = await mine.ask()
        await its.ask()

        assert await its.answer(name, b"wrong") == 400
        assert not second.answer.done()
        assert await mine.answer(name, b"right") == 202
        assert await first.answer == b"right"


async def test_a_runtime_that_asks_again_without_an_answer_has_failed_its_messages() -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        await runtime.ask()
        status, _, _ = await runtime.ask()

        assert status == 403
        with pytest.raises(BadAnswer, match="asked for more work before it had answered"):
            await call.answer


async def test_a_runtime_of_several_processes_has_one_invocation_at_a_time() -> None:
    async with at_work(concurrent=True) as (api, runtime):
        asking = {asyncio.create_task(runtime.ask()) for _ in range(3)}
        for number in range(3):
            call = api.call(CALLED)
            done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            [handed] = done
            _, name, _ = handed.result()
            asking.add(asyncio.create_task(runtime.ask()))
            await runtime.answer(name, str(number).encode())
            assert await call.answer == str(number).encode()
        for one in asking:
            one.cancel()


async def test_work_goes_to_nobody_who_has_left() -> None:
    async with at_work() as (api, runtime):
        async with raw(runtime) as (reader, writer):
            writer.write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
            await api.ready(10)
            writer.write_eof()
            assert await reader.read() == b""
        asked = asyncio.create_task(runtime.ask())
        call = api.call(CALLED)
        _, name, _ = await asked
        await runtime.answer(name, b"{}")

        assert await call.answer == b"{}"


async def test_a_runtime_that_cannot_start_says_why() -> None:
    async with at_work() as (api, runtime):
        body = json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": "no app"})
        status, _ = await runtime.post("init/error", body)

        assert status == 202
        with pytest.raises(NotReady, match=r"Runtime\.ImportModuleError: no app"):
            await api.ready(10)


async def test_an_error_of_the_start_that_comes_after_it_is_refused() -> None:
    async with at_work(concurrent=True) as (api, runtime):
        asked = asyncio.create_task(runtime.ask())
        await api.ready(10)
        status, _ = await runtime.post("init/error", b"{}")

        assert status == 403
        await api.ready(10)
        asked.cancel()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/2020-01-01/extension/register"),
        ("GET", "/2020-01-01/extension/event/next"),
        ("PUT", "/2022-07-01/telemetry"),
        ("PUT", "/2020-08-15/logs"),
        ("GET", "/2018-06-01/runtime/restore/next"),
        ("GET", "/2018-06-01/runtime/invocation/x/response"),
        ("GET", "/"),
    ],
)
async def test_what_is_no_call_of_a_runtime_is_not_found(method: str, path: str) -> None:
    async with at_work() as (_, runtime), aiohttp.ClientSession() as session:
        address = runtime.base.split("/")[2]
        async with session.request(method, f"http://{address}{path}", data=b"{}") as found:
            assert found.status == 404


async def test_an_answer_over_the_limit_has_failed() -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        status = await runtime.answer(name, io.BytesIO(b" " * (MAX_ANSWER_BYTES + 1)))

        assert status == 413
        found = await call.answer
        assert isinstance(found, Fault)
        assert found.type == "Function.ResponseSizeTooLarge"


async def test_an_answer_at_the_limit_is_taken() -> None:
    async with at_work() as (api, runtime):
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()

        assert await runtime.answer(name, io.BytesIO(b" " * MAX_ANSWER_BYTES)) == 202
        assert len(bytes(await call.answer)) == MAX_ANSWER_BYTES  # type: ignore[arg-type]  # an answer, no fault


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"what?\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * (2 * 1024 * 1024) + b"\r\n\r\n",
        b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n" * 40,
    ],
)
async def test_garbage_closes_its_connection_and_is_one_line(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work() as (api, runtime):
        async with raw(runtime) as (reader, writer):
            writer.write(garbage)
            await writer.drain()
            assert b"400 Bad Request" in await reader.read()
        call = api.call(CALLED)
        _, name, _ = await runtime.ask()
        await runtime.answer(name, b"{}")

        assert await call.answer == b"{}"
    assert len(caplog.records) == 1


async def test_a_runtime_that_talks_nonsense_for_ever_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with at_work() as (_, runtime):
        for _ in range(MAX_COMPLAINTS + 5):
            assert await runtime.answer("none") == 400

    assert len(caplog.records) == MAX_COMPLAINTS


async def test_connections_are_limited() -> None:
    async with at_work() as (_, runtime):
        host, port = runtime.base.split("/")[2].split(":")
        opened = [
            await asyncio.open_connection(host, int(port)) for _ in range(http.MAX_CONNECTIONS + 1)
        ]

        assert b"400 Bad Request" in await opened[-1][0].read()
        for _, writer in opened:
            writer.close()
