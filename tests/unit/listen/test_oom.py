"""Where the count of out-of-memory kills is, and what it says."""

from pathlib import Path

import pytest

from watchbot.listen.oom import Kills

V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.mark.parametrize(
    ("memberships", "place", "text"),
    [
        pytest.param("0::/\n", "memory.events", V2, id="container"),
        pytest.param("0::/a/b\n", "a/b/memory.events", V2, id="host"),
        pytest.param("0::/docker/1\n", "memory.events", V2, id="container with the host's paths"),
        pytest.param("5:cpu:/\n4:memory:/a\n", "memory/a/memory.oom_control", V1, id="v1"),
        pytest.param("4:x,memory:/d/1\n0::/\n", "memory/memory.oom_control", V1, id="v1 container"),
    ],
)
def test_count_is_read_anew_at_each_look(
    memberships: str, place: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "cgroup").write_text(memberships)
    count = tmp_path / place
    count.parent.mkdir(parents=True, exist_ok=True)
    count.write_text(text.format(2))
    kills = Kills(str(tmp_path / "cgroup"), str(tmp_path))

    before = kills.seen
    count.write_text(text.format(13))

    assert (before, kills.seen) == (2, 2)
    assert (kills.look(), kills.seen) == (13, 13)


@pytest.mark.parametrize("memberships", [None, "", "1:name=systemd:/\n"])
def test_no_count_is_told_as_unknown(memberships: str | None, tmp_path: Path) -> None:
    if memberships is not None:
        (tmp_path / "cgroup").write_text(memberships)
    kills = Kills(str(tmp_path / "cgroup"), str(tmp_path))

    assert kills.seen is None
    assert kills.look() is None
