"""A worker that the kernel kills, for want of memory in the container, is told as such."""

import json
import re
import sys
import time
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.memory_cgroup import entering, little_memory, why_none

WHY_NONE = why_none()
pytestmark = pytest.mark.skipif(WHY_NONE is not None, reason=str(WHY_NONE))

# It runs long enough for a look at its memory before it takes too much.
GREEDY = f"{sys.executable} -S -c 'import time; time.sleep(0.5); held = b\"x\" * 600_000_000'"
KILLED = "killed: out of memory"


def test_killed_for_want_of_memory_is_told_apart_from_other_kills(cloud: Cloud) -> None:
    queue, letters = cloud.queue("greedy"), cloud.queue("greedy-dead")
    notices = cloud.queue("greedy-notices")
    sent = {
        cloud.send(queue, script): ending
        for script, ending in (
            (GREEDY, KILLED),
            (f"{GREEDY}; exit $?", KILLED),
            ("kill -KILL $$", "signal SIGKILL"),
            ("exit 137", "exit code 137"),
        )
    }
    topic = cloud.topic("greedy-topic", notices)

    said = watched(
        cloud,
        *("--queue-url", queue, "--notification-topic", topic, "--max-attempts", "1"),
        *("--dead-letter-queue-url", letters, "--breaker", "0"),
    )

    assert dict(re.findall(r'\[(\S+)\] \[failure\] failed ending="([^"]+)"', said)) == sent
    assert re.search(r"memory\" .* cpu_s \S+ memory_mb \S+ duration_s", said)
    told = [notice["Message"] for notice in cloud.notices(notices)]
    assert sum(f"Ending: {KILLED}" in text for text in told) == 2
    assert any("Peak memory: " in text and "CPU: " in text for text in told)
    noted = [letter["MessageAttributes"] for letter in cloud.take_all(letters)]
    assert sorted(each["watchbot.reason"]["StringValue"] for each in noted) == sorted(sent.values())
    facts = [json.loads(each["watchbot.message"]["StringValue"]) for each in noted]
    known = {each["id"] for each in facts if each["memory_bytes"]}
    assert {message for message, ending in sent.items() if ending == KILLED} <= known


def watched(cloud: Cloud, *options: str) -> str:
    """What a watcher says that has 300 MB, and works off its queue."""
    waits = ("--exit-when-empty", "--exit-wait", "0", "--poll-wait", "1")
    with little_memory(300) as cgroup:
        words = ("listen", *options, *waits, 'eval "$Message"')
        with cloud.started(*words, within=entering(cgroup)) as watcher:
            said = watcher.communicate(timeout=60)[0]
        _wait_until_empty(cgroup / "cgroup.procs")
    return said


def _wait_until_empty(processes: Path) -> None:
    until = time.monotonic() + 10
    while processes.read_text() and time.monotonic() < until:
        time.sleep(0.01)  # a cgroup announces nothing
