"""The construct for CDK, synthesised as an app of a user is, and compared with the template."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import watchbot
from watchbot.errors import SettingError
from watchbot.template.document import Template

ROOT = Path(__file__).parents[3]
os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "1"
if shutil.which("node") is None:
    pytest.skip("no node here, which CDK needs", allow_module_level=True)
cdk = pytest.importorskip("aws_cdk", reason="no aws-cdk-lib here")

from aws_cdk import assertions, aws_ec2, aws_ecs, aws_iam, aws_kms, aws_s3, aws_sns  # noqa: E402 - behind the skip

from watchbot.cdk import Service  # noqa: E402 - behind the skip

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/resize:1"
SUBNET = "subnet-0a1b2c3d"
PLAIN: dict[str, Any] = {"image": IMAGE, "command": ["./resize.sh"], "subnets": [SUBNET]}
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-a1b2c3"
CASES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "asking": {"image": IMAGE, "command": "./resize.sh"},
    "everything": {
        **PLAIN, "webhook": True, "webhook_key": True, "user": True, "reduce": True,
        "env": {"A": "1"}, "secrets": {"KEY": SECRET}, "tags": {"team": "x"},
        "capacity": {"FARGATE": 1, "FARGATE_SPOT": 4}, "max_size": 20,
        "permissions": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    },
    "fifo": {**PLAIN, "fifo": True, "prefix": "Other"},
    "record": {"kind": "record", "image": IMAGE, "subnets": [SUBNET], "database": SECRET},
    "schedule": {
        "kind": "schedule", "image": IMAGE, "subnets": [SUBNET], "cluster": "blue",
        "database_table": True, "token": SECRET, "task_definitions": ["report"],
        "function_bucket": "my-bucket", "function_key": "watchbot.zip",
    },
}  # fmt: skip


def stack(name: str = "pictures") -> Any:
    return cdk.Stack(cdk.App(), name)


def made_by(stack: Any) -> dict[str, Any]:
    made: dict[str, Any] = assertions.Template.from_stack(stack).to_json()
    return made


def of_watchbot(options: Mapping[str, Any]) -> dict[str, Any]:
    made: Template = watchbot.template({"service": "resize", **options})
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_construct_has_the_resources_of_the_template(
    options: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    mine = stack()
    Service(mine, "resize", **options)

    made, wanted = made_by(mine), of_watchbot(options)

    assert made["Resources"] == wanted["Resources"]
    assert made["Outputs"] == wanted["Outputs"]
    asked = {name: each for name, each in made["Parameters"].items() if name != "BootstrapVersion"}
    assert asked == wanted.get("Parameters", {})
    assert "WARNING" not in capfd.readouterr().err  # of CDK's own check of templates


def test_values_of_cdk_are_understood() -> None:
    mine = stack()
    bucket = aws_s3.Bucket(mine, "Pictures")
    network = aws_ec2.Vpc(mine, "Network")
    key = aws_kms.Key(mine, "Key")

    Service(
        mine,
        "resize",
        image=IMAGE,
        command=["./resize.sh", bucket.bucket_name],
        cluster=aws_ecs.Cluster(mine, "Machines", vpc=network),
        subnets=network.private_subnets,
        security_groups=[aws_ec2.SecurityGroup(mine, "Group", vpc=network)],
        notification_topic=aws_sns.Topic(mine, "Paged"),
        kms_key=key,
        max_job_duration=cdk.Duration.minutes(20),
        public_ip=True,
        env={"BUCKET": bucket.bucket_name, "PREFIX": f"s3://{bucket.bucket_name}/in"},
        permissions=[
            aws_iam.PolicyStatement(
                actions=["s3:GetObject"], resources=[bucket.arn_for_objects("*")]
            )
        ],
    )
    found = made_by(mine)["Resources"]

    (bucket_id,) = [name for name, each in found.items() if each["Type"] == "AWS::S3::Bucket"]
    task = found["WatchbotTaskDefinition"]["Properties"]["ContainerDefinitions"][0]
    told = {each["Name"]: each["Value"] for each in task["Environment"]}
    assert told["BUCKET"] == {"Ref": bucket_id}
    assert told["PREFIX"] == {"Fn::Join": ["", ["s3://", {"Ref": bucket_id}, "/in"]]}
    assert told["maxJobDuration"] == "1200"
    assert task["Command"][-1] == {"Ref": bucket_id}
    network_of = found["WatchbotService"]["Properties"]["NetworkConfiguration"]
    assert network_of["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    assert len(network_of["AwsvpcConfiguration"]["Subnets"]) == len(network.private_subnets)
    assert "WatchbotCluster" not in found
    assert "WatchbotNotificationTopic" not in found
    policies = found["WatchbotTaskRole"]["Properties"]["Policies"]
    assert {"Fn::GetAtt": [bucket_id, "Arn"]} in _leaves(policies)


def _leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(leaf for each in inner for leaf in _leaves(each))]


def test_value_of_another_stack_is_imported() -> None:
    app = cdk.App()
    bucket = aws_s3.Bucket(cdk.Stack(app, "kept"), "Pictures")
    mine = cdk.Stack(app, "pictures")
    Service(mine, "resize", **PLAIN, env={"BUCKET": bucket.bucket_name})

    task = made_by(mine)["Resources"]["WatchbotTaskDefinition"]["Properties"]
    told = {each["Name"]: each["Value"] for each in task["ContainerDefinitions"][0]["Environment"]}

    assert told["BUCKET"]["Fn::ImportValue"].startswith("kept:")


def test_parts_can_be_granted_and_watched() -> None:
    mine = stack()
    resize = Service(mine, "resize", **PLAIN)
    sender = aws_iam.User(mine, "Sender")

    resize.grant_send(sender)
    aws_s3.Bucket(mine, "Pictures").grant_read(resize.task_role)
    found = assertions.Template.from_stack(mine)

    policies = found.find_resources("AWS::IAM::Policy").values()
    granted = {
        json.dumps(each["Properties"].get("Roles") or each["Properties"].get("Users"))
        for each in policies
    }
    assert '[{"Ref": "WatchbotTaskRole"}]' in granted
    assert {"Ref": "WatchbotTopic"} in _leaves(list(policies))
    assert set(resize.alarms) >= {"queue_size", "dead_letters", "worker_errors", "cpu", "memory"}
    assert mine.resolve(resize.queue.queue_url) == {"Ref": "WatchbotQueue"}
    assert mine.resolve(resize.queue.queue_arn) == {"Fn::GetAtt": ["WatchbotQueue", "Arn"]}
    assert mine.resolve(resize.dead_letter_queue.queue_url) == {"Ref": "WatchbotDeadLetterQueue"}
    assert mine.resolve(resize.notification_topic.topic_arn) == {"Ref": "WatchbotNotificationTopic"}
    assert mine.resolve(resize.log_group.log_group_name) == {"Ref": "WatchbotLogGroup"}
    assert resize.queue is resize.queue


def test_what_is_not_there_is_told() -> None:
    fifo = Service(stack(), "resize", **PLAIN, fifo=True)
    schedule = Service(stack(), "jobs", **CASES["schedule"])

    assert fifo.queue.fifo
    for ask in (
        lambda: fifo.topic,
        lambda: schedule.queue,
        lambda: schedule.grant_send(aws_iam.User(stack(), "Sender")),
    ):
        with pytest.raises(SettingError, match="is not made by these options; there are "):
            ask()  # type: ignore[no-untyped-call]  # of the CDK


def test_each_of_several_queues_has_a_name() -> None:
    mine = stack()
    both = Service(mine, "resize", **PLAIN, queues={"urgent": 4, "bulk": 1})

    assert mine.resolve(both.queues["urgent"].queue_url) == {"Ref": "WatchbotUrgentQueue"}
    assert mine.resolve(both.topics["bulk"].topic_arn) == {"Ref": "WatchbotBulkTopic"}
    assert set(both.dead_letter_queues) == {"urgent", "bulk"} == set(both.topics)
    with pytest.raises(SettingError, match="Queue: is not made by these options"):
        both.grant_send(aws_iam.User(mine, "Sender"))


def test_names_of_ecs_watchbot_mean_the_same() -> None:
    old = {
        "service_name": "resize", "memory_limit_mib": 2048, "max_scaling_capacity": 20,
        "min_scaling_capacity": 1, "environment": {"A": "1"}, "log_group_retention_days": 30,
        "retention_period": cdk.Duration.days(4), "cpu": 1024, "dead_letter_threshold": 5,
        "public_ip": False,
    }  # fmt: skip
    mine = stack()
    Service(mine, "x", **PLAIN, **old)

    assert made_by(mine)["Resources"] == of_watchbot({
        **PLAIN, "memory": 2048, "max_size": 20, "min_size": 1, "env": {"A": "1"},
        "log_retention_days": 30, "message_retention": 345_600, "cpu": 1024,
        "dead_letter_threshold": 5,
    })["Resources"]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_size": 0}, "must be 1 to 5000, not 0"),
        ({"max_sice": 3}, "did you mean max_size?"),
        ({"scaling_steps": []}, "is gone: tasks follow the backlog"),
        ({"readonly_root_filesystem": True}, "is called writable_filesystem (the opposite)"),
        ({"memory": 512, "memory_limit_mib": 512}, "is also given as memory"),
        ({"subnets": [object()]}, "takes texts, numbers, lists and constructs"),
    ],
)
def test_property_that_does_not_fit_is_told_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as refused:
        Service(stack(), "resize", **{**PLAIN, **wrong})

    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_second_service_of_a_stack_needs_a_prefix() -> None:
    mine = stack()
    Service(mine, "resize", **PLAIN)

    with pytest.raises(SettingError, match="give each service of the stack a prefix of its own"):
        Service(mine, "rotate", **PLAIN)
    Service(mine, "again", **PLAIN, prefix="Again")

    assert {"WatchbotQueue", "AgainQueue"} <= made_by(mine)["Resources"].keys()


def printed(page: str) -> str:
    """The first block in Python of a page."""
    _, _, rest = (ROOT / "docs/how-to" / page).read_text().partition("```python\n")
    return rest.partition("```")[0]


@pytest.mark.parametrize("printed_in", ["example", "cdk.md"])
def test_app_is_synthesised_by_the_command_of_cdk(printed_in: str, tmp_path: Path) -> None:
    command = ROOT / "build/node/node_modules/.bin/cdk"
    if not command.exists():
        pytest.skip("no cdk here: make node")
    app = tmp_path / "app"
    shutil.copytree(ROOT / "examples/cdk", app)
    if printed_in != "example":
        (app / "app.py").write_text(printed(printed_in))
    done = subprocess.run(
        [command, *"synth --quiet --no-notices --output".split(), tmp_path / "out",
         "--app", f"{sys.executable} app.py"],
        cwd=app, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "CDK_DISABLE_CLI_TELEMETRY": "true", "CI": "true"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "out/pictures.template.json").read_text())
    assert {"WatchbotQueue", "WatchbotService"} <= made["Resources"].keys()
