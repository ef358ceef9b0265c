"""A receiver of taskiq-aio-sqs in one process, whose task does nothing.

usage: python taskiq_consumer.py QUEUE_URL; python taskiq_consumer.py --body prints a message
"""

import asyncio
import json
import os
import sys

from taskiq.api import run_receiver_task
from taskiq_aio_sqs import SQSBroker


async def main(queue_url: str) -> None:
    broker = SQSBroker(
        queue_url.rpartition("/")[2],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
        max_number_of_messages=10,
        wait_time_seconds=5,
    )

    @broker.task(task_name="work")  # type: ignore[untyped-decorator]  # it has no types here
    async def work() -> None:
        pass

    await run_receiver_task(broker, run_startup=True)


if __name__ == "__main__":
    if sys.argv[1] == "--body":
        call = {"task_id": "t", "task_name": "work", "labels": {}, "args": [], "kwargs": {}}
        print(json.dumps(call))
    else:
        asyncio.run(main(sys.argv[1]))
