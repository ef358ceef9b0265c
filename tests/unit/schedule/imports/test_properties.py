"""Properties of a stack's schedule, in which CloudFormation sends numbers as texts."""

from typing import Any

import pytest

from watchbot.schedule.imports.clockwork import fields_of_properties, fields_of_row
from watchbot.schedule.job.job import Job

ABOUT = {
    "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:schedule",
    "CronTime": "0 7 * * *",
    "TaskDefinitionArn": "nightly:1",
}


def overrides_of(given: Any) -> Any:
    fields = fields_of_properties({**ABOUT, "Overrides": given})
    return Job.model_validate({**fields, "id": "nightly"}).model_dump(by_alias=True)["overrides"]


def test_numbers_of_overrides_that_came_as_texts_are_numbers() -> None:
    container = {"Name": "app", "Cpu": "256", "Environment": [{"Name": "N", "Value": "7"}]}

    overrides = overrides_of({"ContainerOverrides": [container], "Cpu": "512"})

    (told,) = overrides["containerOverrides"]
    assert told["cpu"] == 256
    assert told["environment"] == [{"name": "N", "value": "7"}]
    assert overrides["cpu"] == "512"  # ECS has a text here


def test_numbers_of_listed_overrides_are_numbers() -> None:
    (told,) = overrides_of([{"ContainerName": "app", "Memory": "128"}])

    assert told["memory"] == 128


def test_booleans_that_came_as_texts_are_booleans() -> None:
    fields = fields_of_properties({**ABOUT, "EnableExecuteCommand": "true"})

    assert fields["enableExecuteCommand"] is True


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="Must be a whole number"):
        overrides_of([{"ContainerName": "app", "Cpu": "many"}])


def test_row_that_is_nested_too_deep_is_no_job() -> None:
    """One row of a stack's must not end the scheduler, which reads it every minute."""
    with pytest.raises(ValueError, match="nested too deep"):
        fields_of_row({"id": "deep", "job": "[" * 100_000})
