"""The chart: rendered by Helm's own library, and checked against Kubernetes' schemas."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from watchbot.settings.base import load
from watchbot.settings.console import ConsoleSettings
from watchbot.settings.listen import ListenSettings
from watchbot.settings.record import RecordSettings
from watchbot.settings.schedule import ScheduleSettings

helm = pytest.importorskip("helm_python", reason="no helm-python-sdk here")
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="no kubernetes-validate")

CHART = Path(__file__).parents[3] / "charts/watchbot"
VERSIONS = ("1.30", "1.34")  # the oldest that Chart.yaml takes, and a newer one
FOREIGN = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}  # of KEDA and Prometheus
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/pictures"
PEER = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
PLACE = {"name": "watchbot", "key": "url"}

LISTEN: dict[str, Any] = {
    "image": "example.com/pictures:1",
    "command": ["/app/work.sh"],
    "options": {"queueUrl": QUEUE, "concurrency": 4},
}
RECORD: dict[str, Any] = {
    "kind": "record",
    "image": "example.com/watchbot-services:1",
    "options": {"queueUrl": QUEUE, "reconcile": ["blue", "green"], "httpPort": 8080},
    "secrets": {"WATCHBOT_DATABASE": PLACE, "WATCHBOT_HTTP_TOKEN": PLACE},
}
SCHEDULE: dict[str, Any] = {
    "kind": "schedule",
    "image": "example.com/watchbot-services:1",
    "options": {"cluster": "blue", "database": "dynamodb://jobs"},
    "secrets": {"WATCHBOT_TOKEN": PLACE},
}
CONSOLE: dict[str, Any] = {
    "kind": "console",
    "image": "example.com/watchbot-services:1",
    "options": {"queueUrl": QUEUE, "failures": "dynamodb://failures"},
    "secrets": {"WATCHBOT_TOKEN": PLACE},
}
EVERYTHING: dict[str, Any] = {
    **LISTEN,
    "keda": {"enabled": True},
    "networkPolicy": {"enabled": True, "metricsFrom": PEER},
    "podMonitor": {"enabled": True},
    "serviceAccount": {"roleArn": "arn:aws:iam::123456789012:role/pictures"},
    "env": {"BUCKET": "pictures", "TRIES": 3},
    "secrets": {"KEY": PLACE},
    "tmp": {"medium": "Memory"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
}
CASES = {
    "listen": LISTEN,
    "record": RECORD,
    "schedule": SCHEDULE,
    "everything": EVERYTHING,
    "console": CONSOLE,
    "hpa": {**LISTEN, "hpa": {"enabled": True}},
    **{
        f"example-{file.stem}": yaml.safe_load(file.read_text())
        for file in sorted((CHART.parents[1] / "examples/kubernetes/chart").glob("*.yaml"))
    },
    "closed": {**SCHEDULE, "networkPolicy": {"enabled": True, "serviceFrom": PEER}},
}


def installed(values: Mapping[str, Any], name: str = "pictures") -> dict[str, Any]:
    """What Helm would install, by kind. Raises `HelmError`, as `helm install` refuses."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        rendered = chart.render(dict(values), name=name, namespace="work")
    rendered = {path: text for path, text in rendered.items() if path.endswith(".yaml")}
    parts = [part for text in rendered.values() for part in yaml.safe_load_all(text) if part]
    return {_kind(part): part for part in parts}


def _kind(part: Mapping[str, Any]) -> str:
    kind, name = str(part["kind"]), part["metadata"]["name"]
    return "Metrics" if kind == "Service" and name.endswith("-metrics") else kind


def pod_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = parts["Deployment"]["spec"]["template"]["spec"]
    return pod


def variables(parts: Mapping[str, Any]) -> dict[str, str]:
    (container,) = pod_of(parts)["containers"]
    return {each["name"]: each.get("value", "from a secret") for each in container["env"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_kubernetes_takes_what_is_rendered(values: dict[str, Any], version: str) -> None:
    parts = installed(values)

    assert {"Deployment", "ServiceAccount", "PodDisruptionBudget"} <= parts.keys()
    for kind, part in parts.items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(part, version, strict=True)


@pytest.mark.parametrize(
    ("values", "kind"),
    [(LISTEN, ListenSettings), (RECORD, RecordSettings), (SCHEDULE, ScheduleSettings)],
)
def test_service_takes_the_variables_of_its_pod(values: dict[str, Any], kind: Any) -> None:
    told = variables(installed(values))
    given = {name.removeprefix("WATCHBOT_").lower(): value for name, value in told.items()}
    known = {name: value for name, value in given.items() if value != "from a secret"}

    settings = load(kind, known)

    assert settings.drain_timeout == 110
    assert settings.metrics_port == 9090


def test_numbers_and_lists_are_written_as_variables_have_them() -> None:
    told = variables(
        installed(
            {
                **LISTEN,
                "options": {
                    "queueUrl": QUEUE,
                    "maxInHandBytes": 1_000_000_000,
                    "batchWindow": 0.5,
                    "volumes": ["/tmp", "/scratch"],
                    "structuredLogging": True,
                },
            }
        )
    )

    assert told["WATCHBOT_MAX_IN_HAND_BYTES"] == "1000000000"
    assert told["WATCHBOT_BATCH_WINDOW"] == "0.5"
    assert told["WATCHBOT_VOLUMES"] == "/tmp,/scratch"
    assert told["WATCHBOT_STRUCTURED_LOGGING"] == "true"


@pytest.mark.parametrize(
    ("values", "pause", "grace"),
    [
        (LISTEN, None, 120),  # no traffic is sent to a watcher
        ({**LISTEN, "options": {"queueUrl": QUEUE, "drainTimeout": 3600}}, None, 3610),
        (SCHEDULE, 5, 125),
        (RECORD, 5, 125),
        (CONSOLE, 5, 15),  # it has nothing to drain
        ({**LISTEN, "preStopSeconds": 7}, 7, 127),
    ],
)
def test_pod_gets_longer_than_its_pause_and_drain(
    values: dict[str, Any], pause: int | None, grace: int
) -> None:
    pod = pod_of(installed(values))
    (container,) = pod["containers"]

    assert pod["terminationGracePeriodSeconds"] == grace
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
    assert before == pause


def test_pod_can_write_nowhere_but_tmp_and_has_no_rights() -> None:
    pod = pod_of(installed(LISTEN))
    (container,) = pod["containers"]

    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_console_takes_the_variables_of_its_pod() -> None:
    told = variables(installed(CONSOLE))

    assert told["WATCHBOT_HOST"] == "0.0.0.0"
    assert told["WATCHBOT_METRICS_PORT"] == "9090"
    assert "WATCHBOT_DRAIN_TIMEOUT" not in told
    settings = load(ConsoleSettings, {"queue_url": (told["WATCHBOT_QUEUE_URL"],), "token": "t"})
    assert settings.queue_url == (QUEUE,)


def test_keda_counts_the_workers_of_a_pod_and_what_they_run() -> None:
    parts = installed(EVERYTHING)
    scaled = parts["ScaledObject"]["spec"]
    (trigger,) = scaled["triggers"]

    assert "replicas" not in parts["Deployment"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == parts["Deployment"]["metadata"]["name"]
    assert (
        trigger["authenticationRef"]["name"] == parts["TriggerAuthentication"]["metadata"]["name"]
    )
    assert trigger["metadata"] == {
        "queueURL": QUEUE,
        "awsRegion": "eu-west-1",
        "queueLength": "4",
        "scaleOnInFlight": "true",
    }


@pytest.mark.parametrize(
    "queues", [[f"{QUEUE}=3", f"{QUEUE}-2"], f"{QUEUE}=3 {QUEUE}-2", f"{QUEUE}=3,{QUEUE}-2\n"]
)
def test_keda_counts_the_messages_of_several_queues(queues: str | list[str]) -> None:
    options = {**LISTEN["options"], "queueUrl": queues}
    parts = installed({**LISTEN, "options": options, "keda": {"enabled": True}})

    triggers = parts["ScaledObject"]["spec"]["triggers"]
    asked = [trigger["metadata"]["queueURL"] for trigger in triggers]
    assert asked == [QUEUE, f"{QUEUE}-2"]


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("vpce-0a1b-x9yz-us-east-1a.sqs.us-east-1.vpce.amazonaws.com", "us-east-1"),
    ],
)
def test_keda_asks_in_the_region_of_the_queue(host: str, region: str) -> None:
    options = {"queueUrl": f"https://{host}/123456789012/of-eu-north-1.fifo"}
    parts = installed({**LISTEN, "options": options, "keda": {"enabled": True}})

    (trigger,) = parts["ScaledObject"]["spec"]["triggers"]
    assert trigger["metadata"]["awsRegion"] == region


@pytest.mark.parametrize(
    ("values", "owner"),
    [
        ({"serviceAccount": {"roleArn": "arn:aws:iam::123456789012:role/pictures"}}, "workload"),
        ({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "r"}}}, "workload"),
        ({}, "keda"),  # EKS Pod Identity: KEDA finds no role at the service account
        ({"keda": {"enabled": True, "identityOwner": "workload"}}, "workload"),
    ],
)
def test_keda_asks_with_a_role_that_it_can_find(values: dict[str, Any], owner: str) -> None:
    parts = installed({**LISTEN, "keda": {"enabled": True}, **values})

    assert parts["TriggerAuthentication"]["spec"]["podIdentity"]["identityOwner"] == owner


def test_role_is_that_of_irsa_or_of_pod_identity() -> None:
    irsa, identity = installed(EVERYTHING)["ServiceAccount"], installed(LISTEN)["ServiceAccount"]

    assert irsa["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/pictures"
    }
    assert "annotations" not in identity["metadata"]


def test_network_lets_in_those_who_are_named_and_nobody_else() -> None:
    metrics = installed(EVERYTHING)["NetworkPolicy"]["spec"]["ingress"]
    service = installed(CASES["closed"])["NetworkPolicy"]["spec"]["ingress"]
    nobody = installed({**LISTEN, "networkPolicy": {"enabled": True}})["NetworkPolicy"]["spec"]

    assert metrics == [{"from": PEER, "ports": [{"port": "metrics"}]}]
    assert service == [{"from": PEER, "ports": [{"port": "http"}]}]
    assert nobody["ingress"] == []
    assert "Ingress" in nobody["policyTypes"]


def test_only_what_is_served_has_a_service() -> None:
    assert "Service" not in installed(LISTEN)
    for values, port in ((SCHEDULE, 5000), (RECORD, 8080), (CONSOLE, 8300)):
        parts = installed(values)
        ports = {each["name"]: each for each in pod_of(parts)["containers"][0]["ports"]}
        assert ports["http"]["containerPort"] == port
        assert parts["Service"]["spec"]["ports"] == [
            {"name": "http", "port": 80, "targetPort": "http"}
        ]


def test_watchers_are_found_by_one_name() -> None:
    parts = installed(LISTEN)
    spec = parts["Metrics"]["spec"]

    assert spec["clusterIP"] == "None"
    assert spec["selector"] == parts["Deployment"]["spec"]["selector"]["matchLabels"]
    assert spec["ports"][0]["port"] == 9090
    assert "Metrics" not in installed(CONSOLE)
    assert len(installed(LISTEN, "a" * 53)["Metrics"]["metadata"]["name"]) <= 63


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"image": ""}, "/image"),
        ({"command": []}, "/command"),
        ({"options": {}}, "missing property 'queueUrl'"),
        ({"options": {"queueUrl": QUEUE, "concurency": 4}}, "'concurency' not allowed"),
        ({"options": {"queueUrl": QUEUE, "concurrency": 0}}, "/options/concurrency"),
        ({"options": {"queueUrl": QUEUE, "exitWhenEmpty": True}}, "'exitWhenEmpty' not allowed"),
        ({"kind": "lsiten"}, "/kind"),
        ({"kind": "record"}, "missing property 'WATCHBOT_DATABASE'"),
        ({**SCHEDULE, "secrets": {}}, "missing property 'WATCHBOT_TOKEN'"),
        ({**SCHEDULE, "keda": {"enabled": True}}, "/kind"),
        (
            {**SCHEDULE, "command": [], "options": {"database": "postgresql://me:hunter2@db/x"}},
            "options.database holds a password",
        ),
        ({**CONSOLE, "secrets": {}}, "WATCHBOT_TOKEN"),
        (
            {"options": {"queueUrl": QUEUE, "failures": "postgresql://me:hunter2@db/x"}},
            "keep it in a secret, and name that as secrets.WATCHBOT_FAILURES",
        ),
        ({"options": {"queueUrl": "pictures"}}, "/options/queueUrl"),
        ({"options": {"queueUrl": ["pictures=3"]}}, "/options/queueUrl/0"),
        ({"options": {"queueUrl": QUEUE, "metricsPort": 0}}, "/options/metricsPort"),
        (
            {**CONSOLE, "command": [], "options": {"port": 9090}},
            "options.metricsPort and the port of the pages",
        ),
        ({"env": {"WATCHBOT_QUEUE_URL": QUEUE}}, "env.WATCHBOT_QUEUE_URL is set by options."),
        ({"env": {"A": 1}, "secrets": {"A": PLACE}}, "secrets.A is set by env.A"),
        (
            {**CONSOLE, "command": [], "env": {"WATCHBOT_HOST": "::"}},
            "env.WATCHBOT_HOST is set by the chart",
        ),
        (
            {**RECORD, "command": [], "env": {"WATCHBOT_HTTP_HOST": "::"}},
            "env.WATCHBOT_HTTP_HOST is set by the chart",
        ),
        ({"resources": {"limit": {"memory": "1Gi"}}}, "'limit' not allowed"),
        ({"tmp": {"sizeLimit": "1 GB"}}, "/tmp/sizeLimit"),
        ({"podDisruptionBudget": {"maxUnavailable": "one"}}, "/podDisruptionBudget/maxUnavail"),
        ({"keda": {"enabled": True, "minReplicas": 30}}, "keda.minReplicas is 30, and"),
        ({"hpa": {"enabled": True, "minReplicas": 30}}, "hpa.maxReplicas only 20"),
        ({**RECORD, "secrets": {"WATCHBOT_DATABASE": PLACE}}, "WATCHBOT_HTTP_TOKEN"),
        ({"secrets": {"PLACE": "hunter2"}}, "/secrets/PLACE"),
        ({"env": {"NO-NAME": "x"}}, "'NO-NAME' does not match"),
        ({"serviceAccount": {"roleArn": "pictures"}}, "/serviceAccount/roleArn"),
        ({"keda": {"enabled": True}, "hpa": {"enabled": True}}, "/hpa/enabled'"),
        ({"replica": 3}, "'replica' not allowed"),
        (
            {"keda": {"enabled": True}, "options": {"queueUrl": QUEUE, "concurrency": "auto"}},
            "set keda.messagesPerReplica",
        ),
        (
            {"keda": {"enabled": True}, "options": {"queueUrl": "http://mine:9324/q/jobs"}},
            "set options.region",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused_by_their_names(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(helm.HelmError) as refused:
        installed({**LISTEN, **wrong})

    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_lint_finds_nothing() -> None:
    report = helm.lint(CHART, LISTEN, strict=True)

    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] > 1] == []
