"""JSON in DynamoDB's own words: what goes in comes out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbot.dynamodb import decoded, encoded

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_what_goes_in_comes_out(value: object) -> None:
    assert decoded(json.loads(json.dumps(encoded(value)))) == value


def test_types_are_named() -> None:
    assert encoded({"a": [1, 0.5, "x", True, None], "b": {7}}) == {
        "M": {
            "a": {"L": [{"N": "1"}, {"N": "0.5"}, {"S": "x"}, {"BOOL": True}, {"NULL": True}]},
            "b": {"NS": ["7"]},
        }
    }


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="object is no type of JSON"):
        encoded(object())
