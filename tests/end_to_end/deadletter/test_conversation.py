"""The conversation of `watchbot dead-letter`, at a terminal."""

import json
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from tests.support.cloud import BIN, Cloud
from watchbot.extras import how_to_add

MENU = "What to do\\?"
ABOUT = "What to do with it\\?"
PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation under way."""

    child: "pexpect.spawn[str]"

    def hears(self, *patterns: str) -> None:
        """Waits until all of these were printed, one after the other."""
        for pattern in patterns:
            self.child.expect(pattern)

    def answers(self, keys: str) -> None:
        self.child.send(f"{keys}\r")

    def ends(self) -> int:
        """The exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        code: int = self.child.exitstatus
        return code


@contextmanager
def talk(cloud: Cloud, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Talk]:
    # It asks the terminal where its cursor is, and this one does not answer.
    terminal = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    child = pexpect.spawn(
        str(BIN / "watchbot"),
        ["dead-letter", *words],
        env={**cloud.environment, **terminal, **(env or {})},
        encoding="utf-8",
        timeout=PATIENCE_S,
        dimensions=(40, 160),
    )
    try:
        yield Talk(child)
    finally:
        child.close(force=True)


def queues(cloud: Cloud, name: str, *bodies: str) -> tuple[str, str]:
    """The URLs of a queue, and of its dead-letter queue with these messages."""
    queue, dead = cloud.queue_with_dead_letters(name)
    for body in bodies:
        cloud.send(dead, body)
    return queue, dead


def bodies(cloud: Cloud, url: str) -> list[str]:
    return [message["Body"] for message in cloud.take_all(url)]


def test_triage_goes_through_them_one_by_one(cloud: Cloud) -> None:
    queue, dead = queues(cloud, "triage", "first", "second", "third", "fourth")

    with talk(cloud, "--queue-url", queue, "--log-group", "nowhere") as talks:
        talks.hears("triage-dead has about 4", MENU)
        talks.answers("t")
        talks.hears("first", ABOUT)
        talks.answers("v")
        talks.hears("CloudWatch Logs filter_log_events failed", ABOUT)
        talks.answers("r")
        talks.hears("second", ABOUT)
        talks.answers("k")
        talks.hears("third", ABOUT)
        talks.answers("d")
        talks.hears("Delete it for good\\?")
        talks.child.send("y")
        talks.hears("fourth", ABOUT)
        talks.answers("s")
        talks.hears("has about 2", MENU)
        talks.answers("l")
        assert talks.ends() == 0

    assert bodies(cloud, queue) == ["first"]
    assert bodies(cloud, dead) == ["second", "fourth"]


def test_delete_that_is_not_confirmed_deletes_nothing(cloud: Cloud) -> None:
    queue, dead = queues(cloud, "unsure", "first")

    with talk(cloud, "--queue-url", queue) as talks:
        talks.hears(MENU)
        talks.answers("d")
        talks.hears("Delete ALL of them\\?")
        talks.child.send("n")
        talks.hears("has about 1", MENU)
        talks.answers("l")
        assert talks.ends() == 0

    assert bodies(cloud, dead) == ["first"]


def test_all_can_be_printed_returned_and_purged(cloud: Cloud) -> None:
    queue, dead = queues(cloud, "all", "first", "second")

    with talk(cloud, "--queue-url", queue) as talks:
        talks.hears(MENU)
        talks.answers("p")
        talks.hears("first", "second", MENU)
        talks.answers("r")
        talks.hears("2 replayed, 0 kept")
        talks.hears("has about 0", MENU)
        cloud.send(dead, "third")
        talks.answers("d")
        talks.hears("Delete ALL of them\\?")
        talks.child.send("y")
        talks.hears("about 1 purged")
        talks.hears(MENU)
        talks.answers("l")
        assert talks.ends() == 0

    assert (bodies(cloud, queue), bodies(cloud, dead)) == (["first", "second"], [])


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_interrupted_triage_puts_its_messages_back(cloud: Cloud, how: str) -> None:
    queue, dead = queues(cloud, f"left-by-{how}", "first", "second")

    with talk(cloud, "--queue-url", queue) as talks:
        talks.hears(MENU)
        talks.answers("t")
        talks.hears(ABOUT)
        assert cloud.depth(dead) == (0, 2)
        if how == "Ctrl-C":
            talks.child.sendcontrol("c")
        else:
            talks.child.kill(signal.SIGTERM)
        assert talks.ends() == 130

    assert cloud.depth(dead) == (2, 0)


def test_verb_that_destroys_asks_before(cloud: Cloud) -> None:
    queue, dead = queues(cloud, "asked", "first")

    with talk(cloud, "--queue-url", queue, "purge") as talks:
        talks.hears("Delete ALL dead messages of http.*\\?")
        talks.answers("n")
        assert talks.ends() == 130

    assert cloud.depth(dead) == (1, 0)


def test_conversation_without_its_extra_says_what_to_install(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "questionary.py").write_text("raise ImportError")
    queue, _ = queues(cloud, "bare")

    with talk(cloud, "--queue-url", queue, env={"PYTHONPATH": str(tmp_path)}) as talks:
        talks.hears(re.escape(how_to_add("tools")))
        assert talks.ends() == 2


def test_stack_with_several_watchbots_asks_which(cloud: Cloud) -> None:
    resources = {
        name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"which-{name}"}}
        for name in ("First", "Second")
    }
    outputs = {f"{name}DeadLetterQueueUrl": {"Value": {"Ref": name}} for name in resources}
    template = json.dumps({"Resources": resources, "Outputs": outputs})
    cloud.client("cloudformation").create_stack(StackName="which", TemplateBody=template)

    with talk(cloud, "-s", "which") as talks:
        talks.hears("Which one\\?")
        talks.answers("\x1b[B")
        talks.hears("Second has about 0", MENU)
        talks.answers("l")
        assert talks.ends() == 0
