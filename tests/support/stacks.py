"""Stacks that tests make: one option set for each thing that a template may hold."""

import functools
import json
from typing import Any

import watchbot

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/pictures/resize:abc123"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ops"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:password-a1b2c3:key::"
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/shared"
SUBNETS = "subnet-0a1b2c3d,subnet-4e5f6071"


def options(**more: Any) -> dict[str, Any]:
    """The options of a service; `more` of them, or others."""
    return {"service": "resize", "image": IMAGE, "command": "./resize.sh", **more}


def record(**more: Any) -> dict[str, Any]:
    """The options of a record; `more` of them, or others."""
    return {"service": "ecs-record", "kind": "record", "image": IMAGE, **more}


def schedule(**more: Any) -> dict[str, Any]:
    """The options of a stack for schedules; `more` of them, or others."""
    return {"service": "schedule", "kind": "schedule", "image": IMAGE, **more}


def console(**more: Any) -> dict[str, Any]:
    """The options of a stack for the console; `more` of them, or others."""
    facts = {"service": "console", "kind": "console", "image": IMAGE, "queue_prefix": "team-"}
    return {**facts, **more}


VARIANTS: dict[str, dict[str, Any]] = {
    "console": console(failures_table="kept"),
    "failures": options(failures=True),
    "standard": options(),
    "fifo": options(fifo=True),
    "function": options(command=None, warm="lambda", handler="app.handler", batch_size=10),
    "fifo_topic": options(fifo=True, fifo_topic=True, content_based_deduplication=True),
    "spot": options(capacity="FARGATE=1,FARGATE_SPOT=4", subnets=SUBNETS, public_ip="ENABLED"),
    "ec2": options(
        capacity="EC2",
        cluster=CLUSTER,
        cpu=128,
        memory=300,
        soft_memory=200,
        privileged=True,
        mounts="/tmp,/data:/mnt/data",
        placement_constraints=[{"Type": "memberOf", "Expression": "attribute:x == y"}],
        placement_strategies=[{"Type": "spread", "Field": "instanceId"}],
    ),
    "providers": options(
        capacity={"spot-machines": 3, "machines": 1},
        cluster="shared",
        subnets=SUBNETS,
        security_groups="sg-0a1b2c3d",
        service_discovery="ns-abc123",
    ),
    "ec2_discovery": options(capacity="EC2", cluster="shared", service_discovery="ns-abc123"),
    "senders": options(user=True, webhook=True, webhook_key=True, reduce=True),
    "open_webhook": options(webhook=True),
    "queues": options(queues={"high": 3, "low": 1}, user=True, webhook=True, concurrency=4),
    "four_fifo_queues": options(queues="a,b,c,d", fifo=True, fifo_topic=True, user=True),
    "fifo_user": options(fifo=True, user=True),
    "encrypted": options(kms_key=KEY, reduce=True, secrets={"PASSWORD": SECRET}, user=True),
    "told_elsewhere": options(notification_topic=TOPIC, dead_letter_alarm=False),
    "told_by_email": options(notification_email="ops@example.com", dashboard=False),
    "bounded": options(
        permissions_boundary="arn:aws:iam::123456789012:policy/bound",
        tags={"Team": "maps", "Stage": {"Ref": "AWS::StackName"}},
        permissions=[
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/*"}
        ],
        webhook=True,
        webhook_key=True,
        reduce=True,
        user=True,
    ),
    "large": options(
        cpu=16384,
        memory=122880,
        architecture="ARM64",
        ephemeral_storage_gib=200,
        max_size=5000,
        concurrency=16,
        writable_filesystem=True,
        structured_logging=True,
        health_check="none",
        mounts="",
        deployment_circuit_breaker=False,
    ),
    "secrets": options(
        image="docker.io/library/busybox:1",
        env={"STAGE": "test", "QUEUE": {"Fn::Sub": "${AWS::StackName}-more"}},
        secrets={
            "A": SECRET,
            "B": "/pictures/b",
            "C": "arn:aws:ssm:eu-west-1:123456789012:parameter/c",
        },
    ),
    "versioned": options(image=None, service_version="abc123"),
    "record": record(database=SECRET, reconcile="all", retention=90, retention_tasks=400),
    "record_asking": record(dashboard=False),
    "record_on_ec2": record(
        capacity="EC2", cluster="shared", database="/ecs/database", kms_key=KEY, reconcile="a,b"
    ),
    "schedule": schedule(
        database=SECRET,
        token="/schedule/token",
        task_definitions="report,arn:aws:ecs:eu-west-1:123456789012:task-definition/cleanup:3",
        task_roles="arn:aws:iam::123456789012:role/report",
        destinations=[TOPIC, {"Ref": "WatchbotNotificationTopic"}],
        trigger_queues="arn:aws:sqs:eu-west-1:123456789012:pictures",
        retention=90,
    ),
    "schedule_asking": schedule(dashboard=False),
    "schedule_in_a_table": schedule(database_table=True, token="/schedule/token"),
    "schedule_of_stacks": schedule(function_bucket="built", function_key="lambda/watchbot.zip"),
    "schedule_encrypted": schedule(
        database_table=True,
        function_bucket="built",
        function_key="lambda/watchbot.zip",
        kms_key=KEY,
    ),
    "schedule_on_ec2": schedule(capacity="EC2", cluster=CLUSTER, kms_key=KEY, port=8080),
}


def refer(name: str) -> dict[str, str]:
    """A parameter of the stack."""
    return {"Ref": name}


# Every option whose value may come later, as a parameter of that type.
LATER: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("String", {}),
    "family": ("String", {}),
    "cluster": ("String", {}),
    "subnets": ("List<AWS::EC2::Subnet::Id>", {}),
    "security_groups": ("List<AWS::EC2::SecurityGroup::Id>", {}),
    "public_ip": ("String", {"AllowedValues": ["ENABLED", "DISABLED"]}),
    "architecture": ("String", {"AllowedValues": ["X86_64", "ARM64"]}),
    "cpu": ("String", {}),
    "memory": ("String", {}),
    "ephemeral_storage_gib": ("Number", {"MinValue": 21, "MaxValue": 200}),
    "max_size": ("Number", {}),
    "min_size": ("Number", {}),
    "concurrency": ("Number", {}),
    "message_retention": ("Number", {}),
    "visibility_timeout": ("Number", {}),
    "max_job_duration": ("Number", {}),
    "drain_timeout": ("Number", {}),
    "dead_letter_threshold": ("Number", {}),
    "permissions_boundary": ("String", {}),
    "kms_key": ("String", {}),
    "notification_topic": ("String", {}),
    "log_retention_days": ("Number", {"AllowedValues": [14, 30]}),
    "metrics_port": ("Number", {}),
    "health_check": ("String", {}),
    "service_discovery": ("String", {}),
    "alarm_queue_size": ("Number", {}),
    "alarm_queue_periods": ("Number", {}),
    "alarm_worker_errors": ("Number", {}),
    "alarm_oldest_message": ("Number", {}),
    "alarm_cpu": ("Number", {}),
    "alarm_memory": ("Number", {}),
    "alarm_dead_letters": ("Number", {}),
}


def parameter(name: str) -> str:
    """The name of an option's parameter."""
    return name.title().replace("_", "")


def with_parameters(made: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The template, with parameters for these options."""
    parameters = {parameter(name): {"Type": LATER[name][0], **LATER[name][1]} for name in names}
    return {**made, "Parameters": {**made.get("Parameters", {}), **parameters}}


def resources(type_: str, **chosen: Any) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type, by their names."""
    return of_type(type_, made_of(options(**chosen)))


def made_of(chosen: dict[str, Any]) -> dict[str, Any]:
    """The template; made once for alike options, so nothing may be changed in it."""
    return _made_of(json.dumps(chosen))


@functools.cache
def _made_of(chosen: str) -> dict[str, Any]:
    made: dict[str, Any] = watchbot.template(json.loads(chosen))
    return made


def of_type(type_: str, made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resource.get("Properties", {})
        for name, resource in made["Resources"].items()
        if resource["Type"] == f"AWS::{type_}"
    }


def container(**chosen: Any) -> dict[str, Any]:
    (task,) = resources("ECS::TaskDefinition", **chosen).values()
    found: dict[str, Any] = task["ContainerDefinitions"][0]
    return found


def variables(**chosen: Any) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container(**chosen)["Environment"]}


def service(**chosen: Any) -> dict[str, Any]:
    (found,) = resources("ECS::Service", **chosen).values()
    return found


ECS = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}"
