"""Tests the notes on a message that a watcher gives up, and their removal."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import a_message
from watchbot.deadletter.letter import everything, summary
from watchbot.sqs.evidence import (
    MAX_ATTRIBUTES,
    TAIL_BYTES,
    Evidence,
    attested,
    carried,
    original,
    read,
)
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, flaw

EVIDENCE = Evidence(
    reason="exit code 1",
    fingerprint="0123456789abcdef",
    duration_s=1.25,
    exit_code=1,
    tail="last words",
    message_id="m",
    sent_ms=1_700_000_000_000,
    receives=5,
)
names = st.text("abcxyz0189_.-", min_size=1, max_size=20)
values = st.builds(
    Attribute, type=st.sampled_from(["String", "Number", "Binary"]), value=st.just("AP8=")
)


def noted(
    attributes: dict[str, Attribute] | None = None, evidence: Evidence = EVIDENCE
) -> dict[str, Attribute]:
    return attested(attributes or {}, evidence)


def test_evidence_is_read_as_it_was_noted() -> None:
    assert read(a_message(attributes=noted())) == EVIDENCE


def test_operators_find_it_under_its_names() -> None:
    assert {name: item.value for name, item in noted().items() if name != "watchbot.message"} == {
        "watchbot.reason": "exit code 1",
        "watchbot.exit_code": "1",
        "watchbot.fingerprint": "0123456789abcdef",
        "watchbot.duration": "1.250",
        "watchbot.tail": "last words",
    }


def test_end_by_a_signal_has_no_exit_code_and_silence_no_tail() -> None:
    evidence = replace(EVIDENCE, reason="signal SIGKILL", exit_code=None, tail="")

    attributes = noted(evidence=evidence)

    assert not {"watchbot.exit_code", "watchbot.tail"} & attributes.keys()
    assert read(a_message(attributes=attributes)) == evidence


@given(own=st.dictionaries(names, values, max_size=10))
def test_own_attributes_come_back_as_they_were(own: dict[str, Attribute]) -> None:
    attributes = noted(own)

    assert len(attributes) <= MAX_ATTRIBUTES
    assert original(a_message(attributes=attributes)).attributes == own


def test_message_that_nobody_gave_up_is_its_own_original() -> None:
    message = a_message(attributes={"colour": Attribute(type="String", value="red")})

    assert original(message) is message
    assert read(message) is None


def test_message_given_up_once_more_has_the_last_evidence_alone() -> None:
    colour = {"colour": Attribute(type="String", value="red")}
    first = a_message(attributes=noted(colour))
    again = replace(EVIDENCE, reason="ran over 5 s", message_id="n")

    second = a_message(attributes=noted(dict(original(first).attributes), again))

    assert read(second) == again
    assert original(second).attributes == colour


@given(own=st.dictionaries(names, values, max_size=10))
def test_replay_has_its_own_attributes_and_the_first_id(own: dict[str, Attribute]) -> None:
    attributes = carried(a_message("first", attributes=own))
    replayed = original(a_message("second", attributes=attributes))

    assert len(attributes) <= MAX_ATTRIBUTES
    assert (replayed.attributes, replayed.id, replayed.first_id) == (own, "second", "first")
    assert read(a_message(attributes=attributes)) is None


def test_first_id_outlives_any_number_of_deaths_and_replays() -> None:
    message = a_message("m0")
    for number in range(1, 4):
        facts = replace(EVIDENCE, message_id=message.id, replay_of=message.replay_of)
        letter = a_message(f"letter {number}", attributes=noted(evidence=facts))
        replay = a_message(f"m{number}", attributes=carried(original(letter)))

        assert original(letter).first_id == "m0"  # as SQS's own task moves it back
        message = original(replay)

    assert (message.id, message.first_id) == ("m3", "m0")


@pytest.mark.parametrize("first", ["../up", "a" * 101, "", "é", "a b", None, 7, {}])
def test_first_id_that_is_none_is_not_believed(first: object) -> None:
    about = Attribute(type="String", value=json.dumps({"first": first}))

    assert original(a_message("m", attributes={"watchbot.message": about})).first_id == "m"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1" + "0" * 400, "-1", '"x"', "{}"])
@pytest.mark.parametrize("name", ["sent", "receives", "cpu_s", "memory_bytes"])
def test_number_that_nobody_can_have_measured_is_left_out(name: str, number: str) -> None:
    about = {"id": "m", "sent": 1, "receives": 1, "cpu_s": 0.5, "memory_bytes": 1, name: "THIS"}
    forged = json.dumps(about).replace('"THIS"', number)
    attributes = noted() | {"watchbot.message": Attribute(type="String", value=forged)}

    letter = summary(a_message(attributes=attributes))

    assert letter["reason"] == "exit code 1"
    assert json.loads(json.dumps(everything(a_message(attributes=attributes)), allow_nan=False))


@pytest.mark.parametrize("code", ["1" + "0" * 400, "-1"])
def test_exit_code_that_no_process_has_is_left_out(code: str) -> None:
    attributes = noted() | {"watchbot.exit_code": Attribute(type="Number", value=code)}

    assert everything(a_message(attributes=attributes))["exit_code"] is None


@given(tail=st.text(max_size=5000))
def test_any_output_makes_a_tail_that_sqs_takes(tail: str) -> None:
    attributes = noted(evidence=replace(EVIDENCE, tail=tail))

    value = attributes["watchbot.tail"].value if "watchbot.tail" in attributes else ""
    assert len(value.encode()) <= TAIL_BYTES
    assert flaw(Outgoing(body="x", attributes=attributes)) is None


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"watchbot.message": "[]"}, id="no object"),
        pytest.param({"watchbot.message": "{"}, id="no JSON"),
        pytest.param({"watchbot.message": '{"attributes": {"a": 1}}'}, id="no attribute"),
        pytest.param({"watchbot.message": '{"attributes": [1]}'}, id="no attributes"),
        pytest.param({"watchbot.reason": "exit code 1"}, id="reason alone"),
        pytest.param({"watchbot.duration": "long", "watchbot.message": "{}"}, id="no number"),
    ],
)
def test_what_is_no_evidence_of_ours_does_no_harm(attributes: dict[str, Any]) -> None:
    given = {name: Attribute(type="String", value=value) for name, value in attributes.items()}
    message = a_message(attributes=given)

    assert read(message) is None
    assert original(message).attributes == {}
