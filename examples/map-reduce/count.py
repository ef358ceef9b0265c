"""Counts the words of a folder: a message begins the job, one is for each file, one adds up.

Each step may run twice, because SQS may deliver a message twice. So a step writes whole files, and
takes their names from its message.
"""

import json
import os
from pathlib import Path

from watchbot.progress import Part, create_job

COUNTS = Path(os.environ["COUNTS"])  # elsewhere, a bucket


def begin(folder: str) -> None:
    parts = [{"file": str(path)} for path in sorted(Path(folder).iterdir())]
    # With the message's own id, a second run begins no second job.
    job = create_job(parts, os.environ["MessageId"])
    print(f"job {job} has {len(parts)} parts")


def count(message: dict) -> None:
    with Part(**message):
        words = len(Path(message["file"]).read_text().split())
        (COUNTS / f"part-{message['partid']}").write_text(str(words))
        print(f"{message['file']}: {words} words")


def add_up(message: dict) -> None:
    total = sum(int(path.read_text()) for path in COUNTS.glob("part-*"))
    (COUNTS / "total").write_text(str(total))
    print(f"job {message['jobid']}: {total} words in all")


match os.environ["Subject"]:
    case "map":
        count(json.loads(os.environ["Message"]))
    case "reduce":
        add_up(json.loads(os.environ["Message"]))
    case _:
        begin(os.environ["Message"])
