"""Tests the environment of a Lambda runtime."""

import os
from dataclasses import replace

from watchbot.listen.functions.event import EventSource
from watchbot.listen.functions.variables import Function, memory_mb, of_function

FUNCTION = Function(
    name="tiles",
    handler="app.handler",
    source=EventSource("arn:aws:sqs:eu-central-1:123456789012:tiles-queue"),
    memory_mb=512,
)


def variables(base: dict[str, str], function: Function = FUNCTION) -> dict[str, str]:
    encoded = {name.encode(): value.encode() for name, value in base.items()}
    return {**base, **of_function(encoded, function, api="127.0.0.1:9001", worker=3)}


def test_a_runtime_finds_what_lambda_sets() -> None:
    found = variables({"PATH": "/bin"})
    runtime_dir = found.pop("LAMBDA_RUNTIME_DIR")

    assert found == {
        "PATH": "/bin",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": os.getcwd(),
        "AWS_LAMBDA_FUNCTION_NAME": "tiles",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tiles",
        "AWS_LAMBDA_LOG_STREAM_NAME": "worker-3",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_watchbot",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "TZ": ":UTC",
    }
    assert os.path.isdir(runtime_dir)
    assert FUNCTION.arn == "arn:aws:lambda:eu-central-1:123456789012:function:tiles"


def test_a_log_of_json_has_a_level_and_one_of_text_has_none() -> None:
    structured = replace(FUNCTION, structured=True)

    def log_of(base: dict[str, str], function: Function) -> tuple[str, str | None]:
        found = variables(base, function)
        return found["AWS_LAMBDA_LOG_FORMAT"], found.get("AWS_LAMBDA_LOG_LEVEL")

    assert log_of({}, FUNCTION) == ("Text", None)
    assert log_of({}, structured) == ("JSON", "INFO")
    assert log_of({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, FUNCTION) == ("JSON", "INFO")
    assert log_of({"AWS_LAMBDA_LOG_FORMAT": "Text"}, structured) == ("Text", None)
    assert log_of({"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}, structured) == ("JSON", "DEBUG")


def test_what_an_image_sets_itself_is_kept() -> None:
    image = {
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "TZ": "Europe/Berlin",
        "AWS_REGION": "us-west-2",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
    }

    assert image.items() <= variables(image).items()


def test_what_nobody_else_can_know_is_set_whatever_was_there() -> None:
    taken = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "_HANDLER": "old.handler",
    }

    found = variables(taken)

    assert {name: found[name] for name in taken} == {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_watchbot",
        "_HANDLER": "app.handler",
    }


def test_without_a_handler_of_ours_the_images_own_is_kept() -> None:
    none = Function(name="f", handler=None, source=EventSource("not-an-arn"), memory_mb=1)

    assert variables({"_HANDLER": "index.handler"}, none)["_HANDLER"] == "index.handler"
    assert "_HANDLER" not in variables({}, none)
    assert "AWS_REGION" not in variables({}, none)


def test_the_memory_of_this_machine_is_a_number_of_megabytes() -> None:
    assert 64 < memory_mb() < 64 * 1024**2
