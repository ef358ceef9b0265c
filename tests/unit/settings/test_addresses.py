"""Addresses of servers, and tokens that are sent to them."""

from typing import Any

import pytest

from watchbot.errors import SettingError
from watchbot.settings.base import Settings, load
from watchbot.settings.console import ConsoleSettings
from watchbot.settings.top import TopSettings

CASES: list[tuple[type[Settings], str, Any]] = [
    (ConsoleSettings, "watcher", ("{}/metrics",)),
    (ConsoleSettings, "schedule", "{}"),
    (ConsoleSettings, "public_url", "{}"),
    (ConsoleSettings, "queue_url", ("{}/1/q",)),
    (TopSettings, "url", ("{}/metrics",)),
]


@pytest.mark.parametrize("server", ["http://h:65536", "http://h:x", "http://[h", "http://:80", "h"])
@pytest.mark.parametrize(("kind", "name", "value"), CASES, ids=[name for _, name, _ in CASES])
def test_address_of_no_server_is_refused(
    kind: type[Settings], name: str, value: Any, server: str
) -> None:
    """A port over 65,535 would be called modulo 65,536: another server."""
    given = (
        value.format(server) if isinstance(value, str) else tuple(v.format(server) for v in value)
    )

    with pytest.raises(SettingError, match=rf"--{name.replace('_', '-')} .*must be .*like http"):
        load(kind, {name: given})


def test_token_is_sent_without_the_last_newline_of_its_file() -> None:
    settings = load(ConsoleSettings, {"watcher_token": "abc\n", "schedule_token": " def"})

    assert (settings.watcher_token, settings.schedule_token) == ("abc", "def")


@pytest.mark.parametrize("kind", [ConsoleSettings, TopSettings])
def test_token_that_fits_no_header_is_not_repeated(kind: type[Settings]) -> None:
    with pytest.raises(SettingError, match="--watcher-token") as refused:
        load(kind, {"watcher_token": "s3cret\nX-More: 1"})

    assert "s3cret" not in str(refused.value)
