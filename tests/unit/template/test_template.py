"""Tests the content of a template: the promises to `watchbot listen` and its users."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import watchbot
from tests.support.stacks import (
    CLUSTER,
    KEY,
    SECRET,
    TOPIC,
    VARIANTS,
    container,
    made_of,
    of_type,
    options,
    refer,
    resources,
    schedule,
    service,
    variables,
)
from watchbot.errors import UsageError
from watchbot.template.permissions import WILDCARDS


def test_stack_is_the_same_after_the_package_was_imported() -> None:
    assert watchbot.template(options()) == watchbot.template(dict(options()))


def test_deployment_does_not_reset_the_number_of_tasks() -> None:
    assert "DesiredCount" not in service()
    assert service()["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
    }


def test_container_gets_longer_than_its_drain() -> None:
    assert container()["StopTimeout"] == 120
    assert variables()["WATCHBOT_DRAIN_TIMEOUT"] == "110"
    on_ec2 = container(capacity="EC2", cluster="c", drain_timeout=3600)
    assert on_ec2["StopTimeout"] == 3610


def test_root_is_read_only_and_workers_may_write_to_tmp() -> None:
    assert container()["ReadonlyRootFilesystem"] is True
    (mount,) = container()["MountPoints"]
    assert (mount["ContainerPath"], mount["ReadOnly"]) == ("/tmp", False)
    assert variables()["Volumes"] == "/tmp"


def test_workers_get_their_message_on_standard_input_unless_told_otherwise() -> None:
    assert "WATCHBOT_NO_STDIN" not in variables()
    assert variables(no_stdin=True)["WATCHBOT_NO_STDIN"] == "true"


@pytest.mark.parametrize(("keep", "deletes"), [(False, True), (True, False)])
def test_buckets_of_bodies_are_named_and_granted_and_no_others(
    *, keep: bool, deletes: bool
) -> None:
    chosen = {"payload_buckets": ("jobs-payloads",), "keep_payloads": keep}
    arn = "arn:${AWS::Partition}:s3:::jobs-payloads"

    granted = {
        tuple(each["Action"]): each["Resource"]
        for each in statements(made_of(options(**chosen)))
        if "s3:" in json.dumps(each["Action"])
    }

    assert variables(**chosen)["WATCHBOT_PAYLOAD_BUCKETS"] == "jobs-payloads"
    reads = ("s3:GetObject", "s3:DeleteObject") if deletes else ("s3:GetObject",)
    assert granted == {
        reads: [{"Fn::Sub": f"{arn}/*"}],
        ("s3:ListBucket",): [{"Fn::Sub": arn}],
    }


def test_directory_of_the_host_is_not_emptied() -> None:
    chosen = {"capacity": "EC2", "cluster": "c", "mounts": "/tmp,/host:/data"}

    assert variables(**chosen)["Volumes"] == "/tmp"
    assert container(**chosen)["MountPoints"][1]["ContainerPath"] == "/data"
    (task,) = resources("ECS::TaskDefinition", **chosen).values()
    assert task["Volumes"][1]["Host"] == {"SourcePath": "/host"}


def test_command_is_run_by_listen_whatever_the_image_starts() -> None:
    assert container()["EntryPoint"] == ["watchbot", "listen"]
    assert container(command="echo $Message")["Command"] == ["echo $Message"]
    assert container(command=["./run", refer("Mode")])["Command"] == ["./run", refer("Mode")]
    assert container(command='["a", "b c"]')["Command"] == ["a", "b c"]


def test_caller_may_set_and_replace_variables() -> None:
    found = variables(env={"COLOUR": "red", "LIMIT": 3, "StackName": "mine"})

    assert (found["COLOUR"], found["LIMIT"], found["StackName"]) == ("red", "3", "mine")


def test_queue_keeps_two_weeks_and_has_a_dead_letter_queue() -> None:
    queues = resources("SQS::Queue")

    assert {each["MessageRetentionPeriod"] for each in queues.values()} == {1_209_600}
    assert all(each["SqsManagedSseEnabled"] for each in queues.values())
    assert queues["WatchbotQueue"]["RedrivePolicy"]["maxReceiveCount"] == 10
    assert queues["WatchbotQueue"]["VisibilityTimeout"] == 180


def test_fifo_queue_has_no_topic_unless_asked_for() -> None:
    assert list(resources("SNS::Topic", fifo=True)) == ["WatchbotNotificationTopic"]
    with_topic = resources("SNS::Topic", fifo=True, fifo_topic=True)
    assert with_topic["WatchbotTopic"]["FifoTopic"] is True
    names = [each["QueueName"]["Fn::Sub"] for each in resources("SQS::Queue", fifo=True).values()]
    assert all(name.endswith(".fifo") for name in names)


def test_key_of_ones_own_encrypts_everything() -> None:
    chosen = {"kms_key": KEY, "reduce": True}

    assert {q["KmsMasterKeyId"] for q in resources("SQS::Queue", **chosen).values()} == {KEY}
    assert {t["KmsMasterKeyId"] for t in resources("SNS::Topic", **chosen).values()} == {KEY}
    assert {g["KmsKeyId"] for g in resources("Logs::LogGroup", **chosen).values()} == {KEY}
    (table,) = resources("DynamoDB::Table", **chosen).values()
    assert table["SSESpecification"]["KMSMasterKeyId"] == KEY


@pytest.mark.parametrize(
    ("capacity", "launch", "strategy"),
    [
        ("FARGATE", "FARGATE", None),
        ("EC2", "EC2", None),
        ("FARGATE_SPOT", None, {"FARGATE_SPOT": 1}),
        ("FARGATE=1, FARGATE_SPOT=4", None, {"FARGATE": 1, "FARGATE_SPOT": 4}),
        ({"machines": 2}, None, {"machines": 2}),
    ],
)
def test_capacity_is_a_launch_type_or_a_mix(
    capacity: Any, launch: str | None, strategy: dict[str, int] | None
) -> None:
    made = service(capacity=capacity, cluster="shared")
    items = made.get("CapacityProviderStrategy")

    assert made.get("LaunchType") == launch
    found = items and {each["CapacityProvider"]: each["Weight"] for each in items}
    assert found == strategy


def test_fargate_asks_for_subnets_where_none_are_named() -> None:
    made = watchbot.template(options(prefix="Mine"))

    assert made["Parameters"]["MineSubnets"]["Type"] == "List<AWS::EC2::Subnet::Id>"
    assert "Parameters" not in watchbot.template(options(subnets="subnet-0a1b2c3d"))


@pytest.mark.parametrize("cluster", ["shared", CLUSTER])
def test_name_of_the_cluster_is_found(cluster: str) -> None:
    (target,) = resources("ApplicationAutoScaling::ScalableTarget", cluster=cluster).values()

    assert target["ResourceId"]["Fn::Sub"][1]["Cluster"] == "shared"


def test_whole_secret_is_granted_where_a_part_is_named() -> None:
    roles = resources("IAM::Role", secrets={"PASSWORD": SECRET})
    said = json.dumps(roles["WatchbotExecutionRole"])

    assert SECRET.removesuffix(":key::") + '"' in said
    assert SECRET not in said


def test_every_resource_that_takes_tags_has_them() -> None:
    plain, tagged = watchbot.template(options()), watchbot.template(options(tags=["Team=maps"]))
    with_tags = [
        resource["Type"]
        for name, resource in tagged["Resources"].items()
        if resource != plain["Resources"][name]
    ]

    for kind in ("SQS::Queue", "SNS::Topic", "ECS::Service", "IAM::Role", "Logs::LogGroup"):
        assert f"AWS::{kind}" in with_tags


def test_secret_half_of_the_key_is_in_no_output() -> None:
    made = watchbot.template(options(user=True))

    assert "SecretAccessKey" not in json.dumps(made["Outputs"])
    assert made.ref["secret_access_key"] == {"Fn::GetAtt": ["WatchbotUserKey", "SecretAccessKey"]}


def test_refs_name_what_the_stack_has() -> None:
    made = watchbot.template(VARIANTS["senders"])

    assert set(made.ref) == {
        *("log_group", "topic", "queue_url", "queue_arn", "queue_name", "dead_letter_queue_url"),
        *("notification_topic", "progress_table", "webhook_endpoint", "webhook_key"),
        *("access_key_id", "secret_access_key"),
    }


def test_outputs_have_the_names_that_the_dead_letter_tool_looks_up() -> None:
    outputs = watchbot.template(options())["Outputs"]

    for name in ("QueueUrl", "DeadLetterQueueUrl", "LogGroup", "TopicArn"):
        assert outputs[f"Watchbot{name}"]["Export"]["Name"] == {
            "Fn::Sub": f"${{AWS::StackName}}-Watchbot{name}"
        }


@pytest.mark.parametrize("made", VARIANTS.values(), ids=VARIANTS)
def test_runbook_has_a_section_for_each_alarm(made: dict[str, Any]) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/alarms.md").read_text()
    sections = {name.lower() for name in re.findall(r"^## (\w+)$", page, re.M)}

    named = re.findall(r"docs/how-to/alarms.md#(\w+)", json.dumps(made_of(made)))

    assert len(named) >= 2
    assert set(named) <= sections


def statements(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in made["Resources"].values():
        properties = resource.get("Properties", {})
        policies = [each["PolicyDocument"] for each in properties.get("Policies", ())]
        for document in [*policies, properties.get("PolicyDocument", {"Statement": ()})]:
            yield from document["Statement"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_wildcard_of_a_policy_has_its_reason(variant: str) -> None:
    chosen = {**VARIANTS[variant], "permissions": ()}  # the caller's own are the caller's

    for statement in statements(watchbot.template(chosen)):
        actions = statement["Action"]
        named = [actions] if isinstance(actions, str) else actions
        wide = "*" in json.dumps(statement["Resource"])
        for action in named:
            assert action in WILDCARDS or not (wide or "*" in action), statement


def test_each_alarm_names_its_runbook() -> None:
    alarms = resources("CloudWatch::Alarm", alarm_runbook="https://wiki.example.com/watchbot")
    said = {name: each["AlarmDescription"] for name, each in alarms.items()}

    assert "https://wiki.example.com/watchbot#queuesize" in said["WatchbotQueueSizeAlarm"]
    scaling = {"WatchbotBacklogAlarm", "WatchbotEmptyAlarm"}
    calling = {name for name, text in said.items() if "https://" in text}
    assert calling == set(alarms) - scaling


def test_alarms_tell_the_topic_of_the_caller() -> None:
    for name, alarm in resources("CloudWatch::Alarm", notification_topic=TOPIC).items():
        if "Backlog" not in name and "Empty" not in name:
            assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    assert list(resources("SNS::Topic", notification_topic=TOPIC)) == ["WatchbotTopic"]


def test_dead_letter_alarm_can_be_left_out() -> None:
    assert "WatchbotDeadLettersAlarm" in resources("CloudWatch::Alarm")
    assert "WatchbotDeadLettersAlarm" not in resources("CloudWatch::Alarm", dead_letter_alarm=False)


def test_webhook_needs_its_key() -> None:
    (method,) = resources("ApiGateway::Method", webhook=True, webhook_key=True).values()
    assert method["ApiKeyRequired"] is True
    (method,) = resources("ApiGateway::Method", webhook=True).values()
    assert method["ApiKeyRequired"] is False


def test_webhook_that_changes_is_deployed_anew() -> None:
    first = resources("ApiGateway::Deployment", webhook=True)
    again = resources("ApiGateway::Deployment", webhook=True, max_size=7)
    with_key = resources("ApiGateway::Deployment", webhook=True, webhook_key=True)

    assert first == again
    assert set(first).isdisjoint(with_key)


def test_dashboard_is_json() -> None:
    (board,) = resources("CloudWatch::Dashboard").values()
    widgets = json.loads(board["DashboardBody"]["Fn::Sub"][0])["widgets"]

    assert len({(each["x"], each["y"]) for each in widgets}) == len(widgets) > 9


def test_variable_may_hold_json() -> None:
    found = variables(env=['LIMITS={"a": 1}', 'QUEUE={"Ref": "Other"}', "LIST=[1]"])

    assert (found["LIMITS"], found["QUEUE"], found["LIST"]) == ('{"a": 1}', refer("Other"), "[1]")


def test_merge_refuses_one_name_for_two_things() -> None:
    one, two = watchbot.template(options()), watchbot.template(options(max_size=9))

    with pytest.raises(UsageError, match="WatchbotScalableTarget"):
        watchbot.merge(one, two)


def test_merge_keeps_what_is_alike_once() -> None:
    made = watchbot.template(options())

    assert watchbot.merge(made, made) == made
    more = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    assert "Bucket" in watchbot.merge(made, more)["Resources"]


def test_fifo_queue_tells_repetitions_by_their_body_unless_told_otherwise() -> None:
    queues = resources("SQS::Queue", fifo=True).values()
    apart = resources("SQS::Queue", fifo=True, content_based_deduplication=False).values()
    standard = resources("SQS::Queue").values()

    assert [queue.get("ContentBasedDeduplication") for queue in queues].count(True) == 1
    assert not any("ContentBasedDeduplication" in queue for queue in (*apart, *standard))


def test_key_encrypts_the_secret_of_the_user_too() -> None:
    (secret,) = resources("SecretsManager::Secret", user=True, kms_key=KEY).values()
    (own,) = resources("SecretsManager::Secret", user=True).values()

    assert secret["KmsKeyId"] == KEY
    assert "KmsKeyId" not in own


def test_every_table_can_be_restored_to_any_moment() -> None:
    declared = {"function_bucket": "b-1", "function_key": "a.zip", "database_table": True}
    tables = [
        *resources("DynamoDB::Table", reduce=True, checkpoints=True).values(),
        *of_type("DynamoDB::Table", made_of(schedule(**declared))).values(),
    ]

    assert len(tables) == 4
    assert all(
        table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for table in tables
    )


def test_checkpoints_have_a_table_that_forgets_and_the_watcher_may_write() -> None:
    made = made_of(options(checkpoints=True))
    (table,) = of_type("DynamoDB::Table", made).values()
    (role,) = [each for name, each in of_type("IAM::Role", made).items() if "Task" in name]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert {"Fn::GetAtt": ["WatchbotCheckpointsTable", "Arn"]} in [
        each["Resource"] for each in statements if "dynamodb:UpdateItem" in each["Action"]
    ]
    assert "dynamodb://${Table}" in str(variables(checkpoints=True)["WATCHBOT_CHECKPOINTS"])


def test_containers_are_watched_where_that_is_asked_for() -> None:
    (watched,) = resources("ECS::Cluster", container_insights=True).values()
    (usual,) = resources("ECS::Cluster").values()

    assert watched["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enabled"}]
    assert "ClusterSettings" not in usual


def test_calls_of_the_webhook_are_logged_where_that_is_asked_for() -> None:
    (stage,) = resources("ApiGateway::Stage", webhook=True, webhook_access_log=True).values()
    (usual,) = resources("ApiGateway::Stage", webhook=True).values()

    line = json.loads(stage["AccessLogSetting"]["Format"])
    assert line["status"] == "$context.status"
    assert "AccessLogSetting" not in usual
