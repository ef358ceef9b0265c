"""Numbered jobs, done as `worker.sh` does them, by a process that is handed several.

As a command it reads lines, and answers on descriptor 3. `handler` is a function of AWS Lambda.
In a FIFO queue both leave what is behind a failure alone.
"""

import itertools
import json
import os
import sys
import time
from typing import Any

WATCHER = os.getppid()  # asked now: a worker may outlive it
DONE = (0, 3)
_batches = itertools.count(1)


def do(body: str, receives: int, batch: int = 0) -> int:
    """Does a job of the worker's batch of this number; returns its exit code."""
    number, usual, early, fails, nap = body.split()
    code = int(usual) if receives > int(early) else int(fails)
    _note(number, "start", receives, batch)
    time.sleep(float(nap))  # its work
    _note(number, "end", code, batch)
    return code


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Does the jobs of an event of SQS; returns those that failed."""
    failed, batch = False, next(_batches)
    items: list[dict[str, Any]] = []
    for record in event["Records"]:
        item: dict[str, Any] = {"itemIdentifier": record["messageId"]}
        about = record["attributes"]
        if failed and "MessageGroupId" in about:
            items.append(item)
            continue
        code = do(record["body"], int(about["ApproximateReceiveCount"]), batch)
        failed = failed or code not in DONE
        if code:
            items.append({**item, "exit": code})
    return {"batchItemFailures": items}


def main() -> None:
    """Does the jobs on standard input."""
    for line in sys.stdin:
        message = json.loads(line)
        code = do(message["Message"], message["ApproximateReceiveCount"])
        os.write(3, f"{code}\n".encode())
        if code not in DONE and "MessageGroupId" in message:
            sys.exit(code)


def _note(number: str, word: str, value: int, batch: int) -> None:
    # One line is one write.
    line = f"{number} {os.getpid()} {WATCHER} {word} {value} {batch}\n".encode()
    with open(os.environ["CHAOS_LEDGER"], "ab", buffering=0) as ledger:
        ledger.write(line)


if __name__ == "__main__":
    main()
