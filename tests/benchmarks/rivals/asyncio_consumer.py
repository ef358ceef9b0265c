"""A consumer as one writes it first: aiobotocore, asyncio's own subprocess, uvloop.

usage: python asyncio_consumer.py QUEUE_URL CONCURRENCY COMMAND [ARG]...
"""

import asyncio
import os
import sys
from typing import Any

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def work(sqs: Any, queue_url: str, words: tuple[str, ...]) -> None:
    while True:
        answer = await sqs.receive_message(
            QueueUrl=queue_url, WaitTimeSeconds=20, AttributeNames=["All"]
        )
        for message in answer.get("Messages", ()):
            variables = {**os.environ, "Message": message["Body"]}
            worker = await asyncio.create_subprocess_exec(*words, env=variables)
            if await worker.wait() == 0:
                await sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


async def main(queue_url: str, concurrency: str, *words: str) -> None:
    config = AioConfig(max_pool_connections=2 * int(concurrency))
    client = get_session().create_client("sqs", config=config)
    async with client as sqs, asyncio.TaskGroup() as tasks:
        for _ in range(int(concurrency)):
            tasks.create_task(work(sqs, queue_url, words))


uvloop.run(main(*sys.argv[1:]))
