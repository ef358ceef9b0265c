"""Stacks as CloudFormation makes them: created, updated, deleted, and worked on."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import watchbot
from tests.cloud import Cloud
from tests.log_filters import reading
from tests.stacks import VARIANTS, options

PARAMETERS = {"WatchbotSubnets": "subnet-0a1b2c3d", "WatchbotDatabase": "/ecs/database"}


class Stacks:
    """CloudFormation, as `aws cloudformation` uses it."""

    def __init__(self, cloud: Cloud) -> None:
        self._client: Any = boto3.client(
            "cloudformation",
            region_name="us-east-1",
            endpoint_url=cloud.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def create(self, name: str, template: dict[str, Any]) -> dict[str, str]:
        """The outputs of a new stack."""
        self._client.create_stack(StackName=name, **_request(template))
        return self._outputs(name, "CREATE_COMPLETE")

    def update(self, name: str, template: dict[str, Any]) -> dict[str, str]:
        """The outputs of a stack that was changed."""
        self._client.update_stack(StackName=name, **_request(template))
        return self._outputs(name, "UPDATE_COMPLETE")

    def delete(self, name: str) -> None:
        self._client.delete_stack(StackName=name)

    def kinds(self, name: str) -> list[str]:
        """The types of its resources."""
        found = self._client.describe_stack_resources(StackName=name)["StackResources"]
        return sorted(each["ResourceType"] for each in found)

    def _outputs(self, name: str, status: str) -> dict[str, str]:
        (stack,) = self._client.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == status
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def _request(template: dict[str, Any]) -> dict[str, Any]:
    asked = template.get("Parameters", {})
    return {
        "TemplateBody": json.dumps(template),
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": PARAMETERS[name]} for name in asked
        ],
    }


@pytest.fixture
def stacks(cloud: Cloud) -> Iterator[Stacks]:
    yield Stacks(cloud)


@pytest.mark.parametrize("variant", VARIANTS)
def test_stack_is_created_updated_and_deleted(variant: str, cloud: Cloud, stacks: Stacks) -> None:
    made = watchbot.template(VARIANTS[variant])
    outputs = stacks.create(variant.replace("_", "-"), made)

    assert outputs["WatchbotQueueUrl"].startswith(cloud.url)
    wanted = sorted(each["Type"] for each in made["Resources"].values())
    assert stacks.kinds(variant.replace("_", "-")) == wanted


def worked_off(cloud: Cloud, outputs: dict[str, str], *more: str) -> list[str]:
    """What `watchbot listen` logs of a message that was published to the stack's topic."""
    cloud.sns.publish(TopicArn=outputs["WatchbotTopicArn"], Message="exit 1")
    done = cloud.listen(outputs["WatchbotQueueUrl"], *more, 'sh -c "$Message"')
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("form", [(), ("--structured-logging",)], ids=["text", "json"])
def test_failure_of_a_published_message_is_measured(
    form: tuple[str, ...], cloud: Cloud, stacks: Stacks
) -> None:
    made = watchbot.template(options(subnets="subnet-0a1b2c3d"))
    lines = worked_off(cloud, stacks.create(f"measured{len(form)}", made), *form)

    seen: dict[str, list[float]] = {}
    for resource in made["Resources"].values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            properties = resource["Properties"]
            (transformed,) = properties["MetricTransformations"]
            values = (
                reading(properties["FilterPattern"], transformed["MetricValue"], line)
                for line in lines
            )
            metric = seen.setdefault(transformed["MetricName"], [])
            metric += [value for value in values if value is not None]

    assert seen["WatchbotWorkerErrors"] == [1]
    assert seen["WatchbotMessageReceives"] == [1]
    assert len(seen["WatchbotWorkerDuration"]) == len(seen["WatchbotResponseDuration"]) == 1
    assert seen["WatchbotWorkerDuration"] <= seen["WatchbotResponseDuration"]
