import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from watchbot import settings
from watchbot.errors import SettingError
from watchbot.settings.base import Settings, load, repeats
from watchbot.settings.listen import ListenSettings
from watchbot.settings.record import RecordSettings
from watchbot.settings.runs import usable_cpus
from watchbot.settings.send import SendSettings

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QueueUrl", "WATCHBOT_QUEUE_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.delenv(name, raising=False)


def test_flag_goes_before_variable_and_variable_before_old_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QueueUrl", QUEUE + "-old")
    assert load(ListenSettings, {}).queue_url == (QUEUE + "-old",)

    monkeypatch.setenv("WATCHBOT_QUEUE_URL", QUEUE + "-new")
    assert load(ListenSettings, {}).queue_url == (QUEUE + "-new",)

    assert load(ListenSettings, {"queue_url": QUEUE}).queue_url == (QUEUE,)


def test_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHBOT_CONCURRENCY", "")

    assert load(ListenSettings, {"queue_url": QUEUE}).concurrency == 1


def test_variables_of_the_shell_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")

    assert load(ListenSettings, {"queue_url": QUEUE}).shell is False


def test_flag_sets_aside_the_variable_of_its_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QueueUrl", QUEUE)
    topic = "arn:aws:sns:us-east-1:123456789012:t"

    assert load(SendSettings, {"topic_arn": topic}).queue_url is None
    assert load(SendSettings, {}).queue_url == QUEUE


def test_variable_of_a_repeated_option_is_one_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHBOT_ATTRIBUTE", "colour=red,green")

    assert load(SendSettings, {}).attribute == ("colour=red,green",)


def test_concurrency_auto_is_the_usable_cpus() -> None:
    settings = load(ListenSettings, {"queue_url": QUEUE, "concurrency": "auto"})

    assert settings.concurrency == usable_cpus() >= 1


def test_volumes_are_a_list_of_directories(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    settings = load(ListenSettings, {"queue_url": QUEUE, "volumes": f"{tmp_path}/a, {tmp_path}/b"})

    assert settings.volumes == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("kind", "name"), [(ListenSettings, "volumes"), (RecordSettings, "reconcile")]
)
def test_list_is_one_text_with_commas_in_a_variable_and_in_a_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Settings], name: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both, given = f"{tmp_path}/a,{tmp_path}/b", {"queue_url": QUEUE}

    by_flag = getattr(load(kind, {**given, name: (both,)}), name)  # as a flag that may be repeated
    monkeypatch.setenv(f"WATCHBOT_{name.upper()}", both)
    by_variable = getattr(load(kind, given), name)

    assert [str(each) for each in by_flag] == both.split(",")
    assert by_variable == by_flag


def test_link_to_the_root_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")

    with pytest.raises(SettingError, match="whole machine"):
        load(ListenSettings, {"queue_url": QUEUE, "volumes": f"{tmp_path}/link"})


def test_settings_are_frozen() -> None:
    settings = load(ListenSettings, {"queue_url": QUEUE})

    with pytest.raises(ValueError, match="frozen"):
        settings.concurrency = 2  # type: ignore[misc]  # that it may not is the point


def every_kind() -> set[type[Settings]]:
    names = [each.name for each in pkgutil.iter_modules(settings.__path__)]
    modules = [importlib.import_module(f"watchbot.settings.{name}") for name in names]
    return {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Settings)
    }


def complaint(kind: type[Settings], name: str, value: str) -> str:
    """The error for a value of an option; empty if the value is accepted."""
    needed: dict[str, Any] = {"queue_url": QUEUE, "service": "s", "body": "b"}
    given = {each: needed[each] for each in needed.keys() & kind.model_fields.keys()}
    given[name] = value
    repeated = {each for each in given if repeats(kind.model_fields[each])}
    try:
        load(kind, {each: (one,) if each in repeated else one for each, one in given.items()})
    except SettingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", ["x", "-1", "0", "nan"])
def test_bad_value_is_told_in_our_own_words(value: str) -> None:
    said = [complaint(kind, name, value) for kind in every_kind() for name in kind.model_fields]

    assert any(said)
    assert [line for line in said if "Input" in line or "\n" in line] == []
