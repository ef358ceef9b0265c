"""CloudFormation for tests: moto's, with what it lacks for our stacks.

moto makes queues, topics, roles, tasks and tables, and skips the rest with a warning. Here the
rest is there, too: a subscription subscribes, a queue's policy and a metric filter are set, and
everything else keeps its properties, with each reference in them worked out.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
from moto.cloudformation.models import cloudformation_backends
from moto.core.common_models import CloudFormationModel
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from tests.support.cloud import REGION, Cloud

KEPT = (
    *("ApiGateway::ApiKey", "ApiGateway::Stage", "ApiGateway::UsagePlan"),
    *("ApiGateway::UsagePlanKey", "ApplicationAutoScaling::ScalableTarget"),
    *("ApplicationAutoScaling::ScalingPolicy", "CloudWatch::Alarm", "SecretsManager::Secret"),
    "ServiceDiscovery::Service",
)


class _Kept:
    """A resource that does nothing."""

    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        self.physical_resource_id, self.properties = name, properties

    def get_cfn_attribute(self, attribute: str) -> str:
        return f"{self.physical_resource_id}.{attribute}"

    def is_created(self) -> bool:
        return True

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, *_: str, **__: Any
    ) -> Any:
        return cls(resource_name, cloudformation_json["Properties"])

    @classmethod
    def update_from_cloudformation_json(
        cls, *, new_resource_name: str, cloudformation_json: Any, **_: Any
    ) -> Any:
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json)

    @classmethod
    def delete_from_cloudformation_json(cls, *_: Any) -> None:
        """There is nothing to delete."""


class _Subscription(_Kept):
    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__(name, properties)
        backend = sns_backends[DEFAULT_ACCOUNT_ID][REGION]
        backend.subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"])


class _QueuePolicy(_Kept):
    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__(name, properties)
        backend = sqs_backends[DEFAULT_ACCOUNT_ID][REGION]
        policy = json.dumps(properties["PolicyDocument"])
        for url in properties["Queues"]:
            backend.set_queue_attributes(url.rpartition("/")[2], {"Policy": policy})


class _MetricFilter(_Kept):
    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__(name, properties)
        logs_backends[DEFAULT_ACCOUNT_ID][REGION].put_metric_filter(
            name,
            properties["FilterPattern"],
            properties["LogGroupName"],
            properties["MetricTransformations"],
        )


def _model(kind: str, model: type[_Kept]) -> type:
    """moto finds a model among the subclasses of its own."""
    return type(
        kind.replace("::", ""),
        (model, CloudFormationModel),
        {"cloudformation_type": staticmethod(lambda: f"AWS::{kind}")},
    )


MODELS = [  # kept: moto holds them weakly
    *(_model(kind, _Kept) for kind in KEPT),
    _model("SNS::Subscription", _Subscription),
    _model("SQS::QueuePolicy", _QueuePolicy),
    _model("Logs::MetricFilter", _MetricFilter),
]


class Stacks:
    """Stacks, made and seen with boto3."""

    def __init__(self, cloud: Cloud) -> None:
        access = {"endpoint_url": cloud.url, "region_name": REGION}
        self.client: Any = boto3.client("cloudformation", **access)
        self.ecs: Any = boto3.client("ecs", **access)
        self.events: Any = boto3.client("events", **access)

    def create(self, name: str, template: dict[str, Any], **parameters: str) -> dict[str, str]:
        """The outputs of a new stack."""
        self.client.create_stack(StackName=name, **_request(template, parameters))
        return self._outputs(name, "CREATE_COMPLETE")

    def update(self, name: str, template: dict[str, Any], **parameters: str) -> dict[str, str]:
        """The outputs of a stack that was changed."""
        self.client.update_stack(StackName=name, **_request(template, parameters))
        return self._outputs(name, "UPDATE_COMPLETE")

    def happen(self, source: str, kind: str, detail: dict[str, Any]) -> None:
        """EventBridge gets an event."""
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
        self.events.put_events(Entries=[entry])

    def delete(self, name: str) -> None:
        self.client.delete_stack(StackName=name)

    def kinds(self, name: str) -> dict[str, str]:
        """The types of its resources, by their logical names."""
        found = self.client.describe_stack_resources(StackName=name)["StackResources"]
        return {each["LogicalResourceId"]: each["ResourceType"] for each in found}

    def properties(self, name: str, resource: str) -> dict[str, Any]:
        """The properties of a resource that is only stored, with references resolved."""
        stack: Any = cloudformation_backends[DEFAULT_ACCOUNT_ID][REGION].get_stack(name)
        found: dict[str, Any] = stack.resource_map[resource].properties
        return found

    def _outputs(self, name: str, status: str) -> dict[str, str]:
        (stack,) = self.client.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == status
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


@contextlib.contextmanager
def running_stacks(cloud: Cloud) -> Iterator[Stacks]:
    """CloudFormation of this cloud, until the block is left."""
    stacks = Stacks(cloud)
    yield stacks
    stacks.client.close()
    stacks.ecs.close()
    stacks.events.close()


def _request(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    given = [
        {"ParameterKey": name, "ParameterValue": value}
        for name, value in parameters.items()
        if name in template.get("Parameters", {})
    ]
    return {
        "TemplateBody": json.dumps(template),
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": given,
    }
