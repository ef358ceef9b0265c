"""COMMAND itself: what is started for a message, and what is refused before the first."""

from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import assert_refused, listen, read_until


def a_script(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    path.chmod(0o755)
    return str(path)


def test_text_without_interpreter_runs_as_in_a_shell(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("text")
    cloud.send(queue, "x")
    work = a_script(tmp_path / "work", 'echo "got $Message and $1"\n')

    done = cloud.listen(queue, work, "two words")

    assert "got x and two words" in done.stdout
    assert cloud.depth(queue) == (0, 0)


@pytest.mark.parametrize("first_line", ["#!/bin/sh\r", "#!/usr/bin/env no-such-ruby"])
@pytest.mark.parametrize("command", ["listen", "local"])
def test_script_that_cannot_start_costs_no_receive(
    cloud: Cloud, tmp_path: Path, command: str, first_line: str
) -> None:
    queue = cloud.queue(f"script-{command}-{len(first_line)}")
    message = cloud.send(queue, "x")
    work = a_script(tmp_path / "work", f"{first_line}\necho x\n")

    done = cloud.watchbot(command, work, env={"QueueUrl": queue} if command == "listen" else {})

    assert_refused(done, 2, f"cannot run {work!r}")
    (kept,) = cloud.take_all(queue)
    assert kept["MessageId"] == message
    assert kept["Attributes"]["ApproximateReceiveCount"] == "1"  # this one


def test_binary_of_another_machine_is_warned_of(cloud: Cloud, tmp_path: Path) -> None:
    work = tmp_path / "work.exe"
    work.write_bytes(b"MZ\x90\0")
    work.chmod(0o755)

    with cloud.started(*listen(cloud.queue("exe"), str(work))) as watcher:
        said = read_until(watcher, "started")

    assert "command may not start" in said
    assert "none of Linux" in said


def test_watcher_that_a_script_hides_refuses_to_run_as_a_worker(
    cloud: Cloud, tmp_path: Path
) -> None:
    queue = cloud.queue("hidden")
    cloud.send(queue, "x")
    work = a_script(tmp_path / "entrypoint", '#!/bin/sh\nexec watchbot listen "$@"\n')

    with cloud.started(*listen(queue, work, "true"), env={"QueueUrl": queue}) as watcher:
        said = read_until(watcher, "failed ending=")

    assert "this is the worker of another watcher" in said
    assert 'ending="exit code 2"' in said
