"""A COMMAND that is a service of watchbot is refused; one that only speaks of services is not."""

import os
import shlex
from pathlib import Path

import pytest

from watchbot.errors import CommandError
from watchbot.listen import nested, spawn

WATCHERS = [
    "watchbot listen ./work.sh",
    "watchbot local ./work.sh",
    "/usr/local/bin/watchbot listen --queue-url https://q ./work.sh",
    "./watchbot listen x",
    "watchbot-1.2.0-cp311-linux_x86_64.pyz listen x",
    "/opt/watchbot.pyz listen x",
    "python -m watchbot listen x",
    "python3.12 -u -X dev -m watchbot listen x",
    "python3 -mwatchbot listen x",
    "python3 /usr/local/bin/watchbot listen x",
    "python3 -I watchbot-1.2.0.pyz listen x",
    "exec watchbot listen x",
    "env watchbot listen x",
    "env -i QueueUrl=x A=b watchbot listen x",
    "env -u A watchbot listen x",
    "env -S 'watchbot listen x'",
    "env '-Swatchbot listen x'",
    "tini -g -- watchbot listen x",
    "/sbin/tini watchbot listen x",
    "dumb-init --rewrite 15:2 watchbot listen x",
    "nice -n 10 watchbot listen x",
    "nice watchbot listen x",
    "timeout -k 5 3600 watchbot listen x",
    "gosu app:app watchbot listen x",
    "sudo -u app -E watchbot listen x",
    "tini -- gosu app env A=b nice watchbot listen x",
    "sh -c 'watchbot listen x'",
    "/bin/bash -eo pipefail -c 'watchbot listen x'",
    "bash -lc 'exec watchbot listen x'",
    "busybox sh -c 'watchbot listen x'",
    "sh -c 'cd /app && exec env A=b watchbot listen x'",
    "sh -c 'if true; then watchbot listen x; fi'",
    "sh -c '(watchbot listen x)'",
    "sh -c 'echo $(watchbot listen x)'",
    "sh -c 'A=b watchbot listen x | tee log'",
    "sh -c 'set -e\nwatchbot listen x\n'",
    "env sh -c 'watchbot listen x'",
]
SERVICES = [
    "watchbot record --database sqlite:///ecs.db",
    "watchbot schedule",
    "watchbot schedule --port 8080 --database import",
    "/usr/local/bin/watchbot record",
    "python3 -m watchbot schedule --local",
    "python -mwatchbot.cli record",
    "tini -- gosu app env A=b nice watchbot schedule",
    "env -S 'watchbot record'",
    "sh -c 'cd /app && exec watchbot record'",
    "/opt/watchbot.pyz schedule --local",
]
SCREENS = [
    "watchbot top",
    "watchbot top --url http://127.0.0.1:9090/metrics",
    "python3 -m watchbot top --interval 1",
    "sh -c 'exec watchbot top'",
]
OTHERS = [
    "watchbot top --once",
    "watchbot top --url http://127.0.0.1:9090/metrics --once",
    "watchbot top --help",
    "top",
    "watchbot send hello",
    "watchbot progress status job",
    "watchbot schedule import --file jobs.json",
    "watchbot schedule custom-resource",
    "watchbot schedule --help",
    "watchbot record -h",
    "sh -c 'watchbot schedule import jobs.json'",
    "python -m watchbot schedule import",
    "watchbot dead-letter list",
    "watchbot healthcheck",
    "watchbot log record",
    "watchbot tasks running",
    "watchbot-log --level info listen",
    "watchbot-worker listen",
    "echo watchbot listen",
    "grep watchbot listen",
    "env echo watchbot listen",
    "nice grep watchbot listen",
    "sh -c 'echo watchbot listen'",
    "sh -c 'watchbot send listen'",
    "python worker.py watchbot listen",
    "python -m worker watchbot listen",
    "python -c 'import watchbot' watchbot listen",
    "./listen.sh watchbot",
    'sh -c "echo \'unbalanced"',
    "bash work.sh watchbot listen",
]


@pytest.mark.parametrize("line", WATCHERS)
def test_watcher_is_refused(line: str) -> None:
    with pytest.raises(CommandError, match=r"it is a watcher.*without `watchbot listen`"):
        nested.refuse_service(shlex.split(line))


@pytest.mark.parametrize("line", SERVICES)
def test_other_service_is_refused_by_its_name(line: str) -> None:
    service = "record" if "record" in line else "schedule"
    with pytest.raises(
        CommandError, match=f"`watchbot {service}` is a service, and would never end; give the"
    ):
        nested.refuse_service(shlex.split(line))


@pytest.mark.parametrize("line", SCREENS)
def test_figures_without_an_end_are_refused(line: str) -> None:
    with pytest.raises(CommandError, match=r"until Ctrl-C, and would never end; add --once"):
        nested.refuse_service(shlex.split(line))


@pytest.mark.parametrize("line", WATCHERS + SERVICES + SCREENS)
def test_service_in_a_shell_s_script_is_refused(line: str) -> None:
    with pytest.raises(CommandError):
        spawn.resolve([line], shell=False)
    with pytest.raises(CommandError):
        spawn.resolve(["true;", line], shell=True)


@pytest.mark.parametrize("line", OTHERS)
def test_other_command_is_not(line: str) -> None:
    nested.refuse_service(shlex.split(line))
    nested.refuse_service_in(line)


def test_watcher_by_another_name_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "watchbot"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    os.symlink(own, tmp_path / "wb")

    with pytest.raises(CommandError):
        nested.refuse_service([str(tmp_path / "wb"), "listen", "x"])
