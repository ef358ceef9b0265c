"""Our SQS server as a process, and what it does for clients that hang up or talk nonsense."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import anyio

from tests.support.sqs_server import running_sqs_server


async def test_message_is_not_lost_with_the_poll_that_hung_up() -> None:
    async with running_sqs_server() as server:
        server.create({"QueueName": "q"})
        poll = json.dumps({"QueueUrl": "q", "WaitTimeSeconds": 20}).encode()
        for _ in range(8):
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
            writer.write(request("ReceiveMessage", poll))
            await anyio.sleep(0.02)  # the poll is under way by then
            writer.close()
        await anyio.sleep(0.02)  # the server has seen the end by then

        server.queue("q").send("kept")
        await anyio.sleep(0.02)  # a poll that still waited would take it now

        (message,) = await server.queue("q").receive(1, 0, 30)
        assert message.receives == 1


async def test_requests_in_one_breath_are_answered_in_turn() -> None:
    async with running_sqs_server() as server:
        server.create({"QueueName": "q"})
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        send = request("SendMessage", b'{"QueueUrl": "q", "MessageBody": "b"}')
        receive = request("ReceiveMessage", b'{"QueueUrl": "q"}', "Connection: close\r\n")

        for half in (send[:30], send[30:] + receive):
            writer.write(half)
            await anyio.sleep(0.02)  # the server reads the halves one by one
        with anyio.fail_after(1):
            answers = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")
        writer.close()

        assert len(answers) == 3
        assert b"MD5OfMessageBody" in answers[1]
        assert b"ReceiptHandle" in answers[2]


async def test_nonsense_ends_its_own_connection_only() -> None:
    async with running_sqs_server() as server:
        server.create({"QueueName": "q"})
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        writer.write(request("ReceiveMessage", b"{}", "Content-Length: many\r\n"))

        with anyio.fail_after(1):
            assert await reader.read() == b""
        writer.close()
        assert server.queue("q").name == "q"


async def test_latency_is_added_to_every_call() -> None:
    async with running_sqs_server(latency_s=60) as server:
        with anyio.move_on_after(0.05) as waiting:
            await server.answer("ListQueues", {})

    assert waiting.cancelled_caught


def test_process_prints_its_url_and_ends_on_sigterm() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.sqs_server", "--port", "0", "--latency-ms", "1"],
        stdout=subprocess.PIPE,
        env=os.environ,
        text=True,
    ) as process:
        assert process.stdout
        url = process.stdout.readline()
        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
        assert url.startswith("http://127.0.0.1:")


def request(action: str, body: bytes, more_headers: str = "") -> bytes:
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}\r\n{more_headers}\r\n"
    )
    return head.encode() + body
