"""`watchbot.work` and `watchbot.messages`, in a process as a watcher starts it, and by hand."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

LOOP = "for message in watchbot.messages():\n    with message:\n        f(message)"
ASYNC_LOOP = """
async def main():
    async for message in watchbot.messages():
        with message:
            f(message)
asyncio.run(main())
"""
ASYNC_WORK = """
async def g(message):
    await asyncio.sleep(0)
    f(message)
watchbot.work(g)
"""
WAYS = {
    "work": "watchbot.work(f)",
    "work, async": ASYNC_WORK,
    "messages": LOOP,
    "messages, async": ASYNC_LOOP,
}
FUNCTION = """
def f(message):
    match message.body:
        case "reject": raise watchbot.Reject("never")
        case "return": raise watchbot.Return("later", after=600)
        case "break": raise ValueError("broke")
        case body: print("did", body, flush=False)
"""


def handed(
    program: str, messages: Sequence[dict[str, Any]], **variables: str
) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """The answers of a program that is handed these messages, and how it ended."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as answers:
        # bash moves the pipe's end to where a watcher puts it.
        words = ["bash", "-c", f'exec "$@" 3>&{writer} {writer}>&-', "bash", sys.executable, "-c"]
        done = subprocess.run(
            [*words, f"import asyncio, watchbot\n{program}"],
            input="".join(json.dumps(message) + "\n" for message in messages),
            env={**os.environ, "WATCHBOT_BATCH": "1", **variables},
            pass_fds=[writer],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(writer)
        return answers.read().splitlines(), done


def some(*bodies: str) -> list[dict[str, Any]]:
    return [{"MessageId": f"id-{body}", "Message": body} for body in bodies]


@pytest.mark.parametrize("way", WAYS)
def test_each_message_is_answered_by_how_its_work_ended(way: str) -> None:
    messages = some("a", "reject", "return", "break", "b")

    answers, done = handed(FUNCTION + WAYS[way], messages)

    assert answers[0] == answers[4] == "0"
    assert [json.loads(answer) for answer in answers[1:4]] == [
        {"exit": 3, "reason": "never", "id": "id-reject"},
        {"exit": 4, "reason": "later", "retryAfter": 600, "id": "id-return"},
        {"exit": 1, "reason": "ValueError: broke", "id": "id-break"},
    ]
    assert done.stdout == "did a\ndid b\n"
    assert 'raise ValueError("broke")' not in done.stdout
    assert "ValueError: broke" in done.stderr
    assert "Reject" not in done.stderr
    assert done.returncode == 0


def test_codes_are_those_that_the_watcher_takes_so() -> None:
    codes = {"WATCHBOT_REJECT_CODES": "64-70,9", "WATCHBOT_RETURN_CODES": ""}

    answers, _ = handed(FUNCTION + WAYS["work"], some("reject", "return"), **codes)

    assert [json.loads(answer)["exit"] for answer in answers] == [64, 1]


def test_exception_outside_of_with_ends_the_process_without_an_answer() -> None:
    program = FUNCTION + "for message in watchbot.messages():\n    f(message)"

    answers, done = handed(program, some("a", "break", "b"))

    assert answers == ["0"]
    assert done.returncode == 1


def test_end_of_the_process_within_a_message_is_no_answer() -> None:
    answers, done = handed("watchbot.work(lambda message: exit(7))", some("a"))

    assert (answers, done.returncode) == ([], 7)


def test_message_knows_what_the_watcher_told_of_it(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes("lone \ud800".encode(errors="surrogatepass"))
    message = {
        "MessageId": "m1",
        "MessageFile": str(file),
        "Subject": "s",
        "MessageAttributes": {"n": {"Type": "Number", "Value": "1"}},
        "MessageGroupId": "g",
        "ApproximateReceiveCount": 2,
        "QueueUrl": "https://q",
        "deadline": 5.5,
    }
    program = """
for m in watchbot.messages():
    print(m.id, ascii(m.body), m.subject, dict(m.attributes), m.group, m.receives, m.queue_url,
          m.deadline, m.file, m.fields["Subject"])
"""

    answers, done = handed(program, [message])

    assert answers == ["0"]
    assert done.stdout == f"m1 'lone \\ud800' s {{'n': '1'}} g 2 https://q 5.5 {file} s\n"


def test_worker_can_be_tried_by_hand() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import watchbot\n{FUNCTION}{WAYS['work']}"],
        input='{"Message": "a"}\nplain words\n{"Message": "reject"}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == (
        'did a\n0\ndid plain words\n0\n{"exit": 3, "reason": "never", "id": ""}\n'
    )


def test_it_imports_little() -> None:
    heavy = "asyncio, pydantic, anyio, click, dataclasses, inspect, pathlib"
    program = f"""
import sys, watchbot
watchbot.work, watchbot.messages, watchbot.Reject, watchbot.Return
assert not sys.modules.keys() & set({heavy!r}.split(', ')), sys.modules.keys()
"""

    subprocess.run([sys.executable, "-S", "-c", program], check=True, timeout=60)


def test_exceptions_have_names_of_their_own_for_other_runtimes() -> None:
    import watchbot

    assert watchbot.Reject.__name__ == "WatchbotReject"
    assert watchbot.Return.__name__ == "WatchbotReturn"
