"""`watchbot template --warm lambda`: a stack for a function of AWS Lambda."""

from typing import Any

import pytest

import watchbot
from tests.support.stacks import options
from watchbot.errors import SettingError

FUNCTION: dict[str, Any] = {
    "command": None,
    "warm": "lambda",
    "handler": "app.handler",
    "batch_size": 10,
    "concurrency": 2,
}


def made(**more: Any) -> dict[str, Any]:
    resources: dict[str, Any] = watchbot.template(options(**{**FUNCTION, **more}))["Resources"]
    return resources


def container(resources: dict[str, Any]) -> dict[str, Any]:
    properties = resources["WatchbotTaskDefinition"]["Properties"]
    [found] = properties["ContainerDefinitions"]
    return {**found, "Environment": {each["Name"]: each["Value"] for each in found["Environment"]}}


def test_the_image_of_a_function_is_run_by_its_own_entry_point() -> None:
    found = container(made())

    assert found["EntryPoint"] == ["watchbot", "listen"]
    assert found["Command"] == ["/lambda-entrypoint.sh", "app.handler"]


def test_a_command_is_run_in_its_place() -> None:
    command = ["python", "-m", "awslambdaric", "app.handler"]

    assert container(made(command=command))["Command"] == command


def test_a_function_finds_in_its_variables_what_lambda_would_set() -> None:
    resources = made(service="tiles", memory=2048)
    found = container(resources)["Environment"]

    assert {name: found[name] for name in found if "LAMBDA" in name or "WATCHBOT_W" in name} == {
        "WATCHBOT_WARM": "lambda",
        "AWS_LAMBDA_FUNCTION_NAME": "tiles",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_LOG_GROUP_NAME": {"Ref": "WatchbotLogGroup"},
    }
    assert (found["WATCHBOT_HANDLER"], found["WATCHBOT_BATCH_SIZE"]) == ("app.handler", "10")


def test_a_function_gets_messages_as_their_senders_wrote_them() -> None:
    raw = made()["WatchbotSubscription"]["Properties"]
    wrapped = made(warm="off", handler=None, command="work")["WatchbotSubscription"]["Properties"]

    assert raw["RawMessageDelivery"] is True
    assert "RawMessageDelivery" not in wrapped


def test_tasks_are_counted_by_the_messages_that_each_works_on_at_once() -> None:
    [gap] = [
        metric["Expression"]
        for metric in made()["WatchbotBacklogAlarm"]["Properties"]["Metrics"]
        if metric["Id"] == "gap"
    ]

    assert gap["Fn::Sub"][1] == {"Concurrency": 20}


@pytest.mark.parametrize(
    ("more", "option", "words"),
    [
        ({"warm": "off", "command": "work"}, "handler", "set --warm lambda"),
        ({"handler": None}, "command", "is missing"),
        ({"writable_filesystem": True}, "warm", "keeps workers, and --writable-filesystem"),
        ({"fifo": True, "batch_size": 11}, "batch-size", "at most 10 with --fifo"),
    ],
)
def test_what_does_not_go_together_is_refused(
    more: dict[str, Any], option: str, words: str
) -> None:
    with pytest.raises(SettingError, match=words) as refused:
        made(**more)
    assert option in str(refused.value)
