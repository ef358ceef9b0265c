"""Every template is right by cfn-lint, with no warning."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import watchbot
from tests.support.lint import complaints
from tests.support.stacks import LATER, VARIANTS, options, parameter, refer, with_parameters
from watchbot.errors import SettingError

ROOT = Path(__file__).parents[3]


def complaints_of(template: dict[str, Any]) -> list[str]:
    return complaints(json.dumps(template))


@pytest.mark.parametrize("file", sorted(ROOT.glob("cloudformation/*.yaml")), ids=lambda f: f.stem)
def test_ready_made_stack_is_clean(file: Path) -> None:
    assert complaints(file.read_text()) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_clean(variant: str) -> None:
    assert complaints_of(watchbot.template(VARIANTS[variant])) == []


def test_linter_sees_what_is_wrong() -> None:
    template = watchbot.template(options())
    template["Resources"]["WatchbotQueue"]["Properties"]["VisibilityTimeout"] = "soon"
    template["Resources"]["WatchbotService"]["Properties"]["TaskDefinition"] = {"Ref": "Nothing"}

    assert len(complaints_of(template)) == 2


def test_values_may_be_parameters_on_fargate() -> None:
    later = {name: refer(parameter(name)) for name in LATER}
    made = watchbot.template(options(**later))

    assert complaints_of(with_parameters(made, list(LATER))) == []


def test_values_may_be_parameters_on_ec2() -> None:
    names = ["cluster", "subnets", "drain_timeout", "metrics_port"]
    later = {name: refer(parameter(name)) for name in names}
    made = watchbot.template(options(capacity="EC2", **later))

    assert complaints_of(with_parameters(made, names)) == []


def test_two_services_fit_into_one_stack() -> None:
    one = watchbot.template(options(prefix="One"))
    two = watchbot.template(options(prefix="Two", fifo=True, webhook=False))

    assert complaints_of(watchbot.merge(one, two)) == []


WHERE = [
    {"capacity": "FARGATE_SPOT"},
    {"cpu": 512, "memory": 1024, "ephemeral_storage_gib": 30, "subnets": "subnet-0a1b2c3d"},
    {"capacity": "mine=1", "cluster": "shared", "subnets": "subnet-0a1b2c3d"},
    {"capacity": "EC2", "cluster": "shared", "cpu": 128, "soft_memory": 256, "privileged": True}
    | {"mounts": "/tmp,/host:/data", "drain_timeout": 600},
]
WHENCE = [
    {"user": True},
    {"webhook": True},
    {"webhook": True, "webhook_key": True, "user": True},
    {"fifo": True, "user": True},
    {"fifo": True, "fifo_topic": True, "content_based_deduplication": True},
]
WHO = [
    {},
    {"notification_email": "ops@example.com"},
    {"notification_topic": "arn:aws:sns:eu-west-1:123456789012:ops"},
]
YES_OR_NO = (
    *("reduce", "checkpoints", "dashboard", "writable_filesystem", "structured_logging"),
    *("dead_letter_alarm", "deployment_circuit_breaker"),
)
ANYWAY: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.booleans() for name in YES_OR_NO},
    "kms_key": st.just(refer("Key")),
    "service_discovery": st.just("ns-abc123"),
    "secrets": st.just({"PASSWORD": "/pictures/password"}),
    "tags": st.just({"Team": "maps"}),
    "min_size": st.integers(0, 1),
    "max_size": st.integers(3, 5000),
}

known = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(known, max_examples=12)
@given(
    where=st.sampled_from(WHERE),
    whence=st.sampled_from(WHENCE),
    who=st.sampled_from(WHO),
    more=st.fixed_dictionaries({}, optional=ANYWAY),
)
def test_options_that_fit_make_a_clean_stack(
    where: dict[str, Any], whence: dict[str, Any], who: dict[str, Any], more: dict[str, Any]
) -> None:
    made = watchbot.template(options(**where, **whence, **who, **more))
    declared = {"Parameters": {"Key": {"Type": "String"}}} if "kms_key" in more else {}

    assert complaints_of(watchbot.merge(made, declared)) == []


@settings(known, max_examples=100)
@given(
    chosen=st.lists(st.sampled_from([*WHERE, *WHENCE, *WHO]), max_size=4),
    more=st.fixed_dictionaries(
        {},
        optional={
            "cpu": st.integers(0, 20_000),
            "memory": st.integers(0, 130_000),
            "min_size": st.integers(-1, 10),
            "max_size": st.integers(0, 5001),
            "capacity": st.sampled_from(["EC2", "FARGATE=1,mine=1", "EC2=1,mine=1", "FARGATE=0"]),
            "kind": st.sampled_from(["listen", "record", "schedule"]),
            "drain_timeout": st.integers(0, 200),
            "prefix": st.text(max_size=3),
            "service": st.text(max_size=3),
        },
    ),
)
def test_any_options_make_a_stack_or_one_complaint(
    chosen: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    given = options()
    for each in [*chosen, more]:
        given |= each
    complaint = None
    try:
        watchbot.template(given)
    except SettingError as error:
        complaint = str(error)

    assert complaint is None or re.fullmatch(r"--[a-z0-9-]+ \(WATCHBOT_\w+.*?\): .+", complaint)
