"""Every template is right by cfn-lint, with no warning."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import watchbot
from tests.lint import complaints
from tests.stacks import LATER, VARIANTS, options, parameter, refer, with_parameters
from watchbot.errors import SettingError

ROOT = Path(__file__).parents[2]


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


PLAIN = {
    "fifo": st.booleans(),
    "fifo_topic": st.booleans(),
    "webhook": st.booleans(),
    "webhook_key": st.booleans(),
    "user": st.booleans(),
    "reduce": st.booleans(),
    "dashboard": st.booleans(),
    "writable_filesystem": st.booleans(),
    "privileged": st.booleans(),
    "capacity": st.sampled_from(
        ["EC2", "FARGATE", "FARGATE_SPOT", "FARGATE=1,FARGATE_SPOT=2", "mine=1", "FARGATE=1,mine=1"]
    ),
    "cluster": st.sampled_from([None, "shared"]),
    "cpu": st.sampled_from([128, 256, 512, 4096]),
    "memory": st.sampled_from([512, 1024, 1536, 8192]),
    "soft_memory": st.sampled_from([None, 256, 1024]),
    "mounts": st.sampled_from(["", "/tmp", "/tmp,/host:/data"]),
    "min_size": st.integers(0, 3),
    "max_size": st.integers(1, 3),
    "kms_key": st.sampled_from([None, refer("Key")]),
    "notification_email": st.sampled_from([None, "ops@example.com"]),
    "notification_topic": st.sampled_from([None, "arn:aws:sns:eu-west-1:123456789012:ops"]),
    "service_discovery": st.sampled_from([None, "ns-abc123"]),
    "subnets": st.sampled_from(["", "subnet-0a1b2c3d"]),
    "ephemeral_storage_gib": st.sampled_from([None, 30]),
    "drain_timeout": st.sampled_from([0, 110, 600]),
}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.fixed_dictionaries({}, optional=PLAIN))
def test_options_make_a_clean_stack_or_one_complaint(chosen: dict[str, Any]) -> None:
    made, complaint = made_or_refused(chosen)
    if made is None:
        assert re.fullmatch(r"--[a-z0-9-]+ \(WATCHBOT_\w+.*?\): .+", complaint)
        return
    key = {"Parameters": {**made.get("Parameters", {}), "Key": {"Type": "String"}}}
    needs_key = chosen.get("kms_key") is not None
    assert complaints_of({**made, **key} if needs_key else made) == []


def made_or_refused(chosen: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    try:
        return watchbot.template(options(**chosen)), ""
    except SettingError as error:
        return None, str(error)
