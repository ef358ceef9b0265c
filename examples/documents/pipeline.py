"""Makes a search index of a folder of documents: split, map, reduce.

One message begins the job, one is for each document, and one, sent when the last document is done,
puts the parts together. Each step writes whole files under names from its message, so each bears to
run twice.
"""

import json
import os
import re
from collections import defaultdict
from pathlib import Path

from watchbot.progress import Part, create_job

WORK = Path(os.environ["WORK"])  # elsewhere, a bucket


def write(name: str, content: object) -> None:
    beside = WORK / f".{name}.{os.environ['MessageId']}"
    beside.write_text(json.dumps(content, sort_keys=True))
    beside.replace(WORK / name)


def split(folder: str) -> None:
    parts = [{"document": str(path)} for path in sorted(Path(folder).iterdir())]
    job = create_job(parts, os.environ["MessageId"])  # a second run begins no second job
    print(f"{len(parts)} documents in {folder}, job {job}")


def extract(message: dict) -> None:
    with Part(**message):
        document = Path(message["document"])
        words = sorted(set(re.findall(r"[a-z]{4,}", document.read_text().lower())))
        write(
            f"{message['jobid']}-{message['partid']}.json",
            {"document": document.name, "words": words},
        )
        print(f"{document.name}: {len(words)} words of four letters and more")


def index(message: dict) -> None:
    found = defaultdict(list)
    for path in sorted(WORK.glob(f"{message['jobid']}-*.json")):
        part = json.loads(path.read_text())
        for word in part["words"]:
            found[word].append(part["document"])
    write("index.json", found)
    print(f"{len(found)} words in the index")


match os.environ["Subject"]:
    case "map":
        extract(json.loads(os.environ["Message"]))
    case "reduce":
        index(json.loads(os.environ["Message"]))
    case _:
        split(os.environ["Message"])
