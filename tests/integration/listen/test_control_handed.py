"""Workers that are handed their messages, and ask about one of several by its id."""

import sys
from pathlib import Path

import pytest

from tests.support.handing import Ends, a_queue, worked_off
from watchbot.outcome import COMPLETED, FAILED, REJECTED, RETURNED

LINES = """
import json, os, sys
from watchbot import control
from watchbot.errors import NotGranted
answers = os.fdopen(3, "w", buffering=1)
for line in sys.stdin:
    message = json.loads(line)
    body, name = message["Message"], message["MessageId"]
    if body == "reject":
        control.reject("never", message=name)
    if body == "later":
        control.retry_after(700, message=name)
    if body == "unnamed":
        try:
            control.reject("not this one")
        except NotGranted as error:
            print(error, flush=True)
    if body == "stale":
        try:
            control.reject("answered already", message=before)
        except NotGranted as error:
            print(error, flush=True)
    before = name
    print(0 if body != "later" else 4, file=answers, flush=True)
"""
RUNTIME = """
import json, os, urllib.request
from watchbot import control
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as given:
        event, request = json.load(given), given.headers["Lambda-Runtime-Aws-Request-Id"]
    failed = []
    for record in event["Records"]:
        if record["body"] == "reject":
            control.reject("never", message=record["messageId"])
        if record["body"] == "later":
            control.retry_after(700, message=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
        control.progress(0.5, message=record["messageId"])
    answer = json.dumps({"batchItemFailures": failed}).encode()
    urllib.request.urlopen(f"{api}/{request}/response", answer).close()
"""
BODIES = ("plain", "reject", "unnamed", "stale", "later")


@pytest.fixture(params=[{"warm": "lines"}, {"batch_size": 5}], ids=["warm", "batch"])
async def ended(request: pytest.FixtureRequest, tmp_path: Path) -> Ends:
    worker = tmp_path / "worker.py"
    worker.write_text(LINES)
    return await worked_off(a_queue(*BODIES), [sys.executable, str(worker)], **request.param)


async def test_wish_is_for_the_message_that_it_names(ended: Ends) -> None:
    assert ended.outcomes == [
        ("plain", COMPLETED),
        ("reject", REJECTED),
        ("unnamed", COMPLETED),
        ("stale", COMPLETED),
        ("later", RETURNED),
    ]
    assert ended.how("reject") == "never"
    assert ended.reports[-1].pause_s == 700
    assert "a request names its message here" in ended.tail("unnamed")
    assert "no message with this id in hand" in ended.tail("stale")


async def test_function_of_lambda_asks_by_the_ids_of_its_records(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime.py"
    runtime.write_text(RUNTIME)
    queue = a_queue("plain", "reject", "later")

    ends = await worked_off(
        queue, [sys.executable, str(runtime)], warm="lambda", handler="h", batch_size=3
    )

    assert sorted(ends.outcomes) == [
        ("later", FAILED), ("plain", COMPLETED), ("reject", REJECTED)
    ]  # fmt: skip
    assert [report.pause_s for report in ends.reports if report.outcome is FAILED] == [700]


async def test_process_that_stays_and_empties_its_directory_may_go_on_asking() -> None:
    script = f"""
        while IFS= read -r m; do
            id=${{m#*MessageId\\":\\"}}; id=${{id%%\\"*}}
            {sys.executable} -m watchbot ctl reject --message "$id" again || exit
            rm -rf "$WATCHBOT_SCRATCH"/.c* ; touch "$WATCHBOT_SCRATCH/left"; echo 0 >&3
        done"""

    ends = await worked_off(a_queue("a", "b"), script, warm="lines")

    assert ends.outcomes == [("a", REJECTED), ("b", REJECTED)]
